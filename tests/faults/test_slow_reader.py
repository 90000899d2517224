"""A reader of the stream who takes nothing while much happens costs the gateway next to nothing, and misses nothing."""

import asyncio
import os
from collections.abc import Iterator

import httpx
import pytest

from shared.testing.memory import Growth
from shared.testing.processes import Roster

CHANGES = int(os.environ.get("ROSTER_FEED_CHANGES", "100000"))
MOST = 48 * 2**20
"""Bytes that the gateway may grow by: what the tail keeps, and a piece and the buffers of each reader. The changes have twice as many."""

READERS = 8

pytestmark = pytest.mark.timeout(600)


def people() -> Iterator[bytes]:
    yield b"username,email,title,department\n"
    for start in range(0, CHANGES, 1000):
        lines = (f"u{n},u{n}@roster.example,{'t' * 100},{'d' * 100}\n" for n in range(start, min(CHANGES, start + 1000)))
        yield "".join(lines).encode()


async def test_readers_who_take_nothing_cost_little(roster: Roster) -> None:
    roster.start("employees", "teams", "gateway")
    cookie = roster.log_in()
    async with httpx.AsyncClient(base_url=roster.gateway.url, headers={"Cookie": cookie}, trust_env=False, timeout=500) as http:
        (await http.get("/v1/changes")).raise_for_status()
        streams = [await open_stream(roster.gateway.port, cookie) for _ in range(READERS)]
        with Growth(roster.gateway.pid) as growth:
            headers = {"Content-Type": "text/csv", "Authorization": roster.bearer("employees")}
            answer = await asyncio.to_thread(
                httpx.post, f"{roster.employees.url}/v1/employees/import", content=people(), headers=headers, timeout=500
            )
            assert answer.json()["created"] == CHANGES
            assert (await http.get("/livez")).status_code == 200
            seen = await asyncio.wait_for(read(streams[0][0]), 300)
        assert seen == CHANGES
        assert growth.bytes < MOST
        for _, writer in streams:
            writer.close()


async def open_stream(port: int, cookie: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A stream of whose body nothing is read but what fits into a small buffer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4096)
    writer.write(f"GET /v1/changes HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\nAccept: text/event-stream\r\n\r\n".encode())
    assert b" 200 " in await reader.readuntil(b"\r\n")
    return reader, writer


async def read(reader: asyncio.StreamReader) -> int:
    """Read all that was missed, in order; how many events there were."""
    seen = 0
    rest = b""
    while seen < CHANGES:
        piece = await reader.read(65536)
        assert piece, seen
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if line.startswith(b"id: "):
                seen += 1
                assert line.partition(b".")[2].partition(b"~")[0] == b"%d" % seen
    return seen

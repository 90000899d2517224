"""What a service says is no better trusted than what a client says; and the services are asked directly, whatever the environment says."""

import asyncio
import gzip
import math
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx

from shared.testing.memory import Growth
from shared.testing.processes import Roster
from shared.testing.raw import RawServers, replying

JSON = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
HTML = b"<html>a proxy's page of errors</html>"
MB = 1_000_000
BOUND = 100 * MB
PATHS = ("/v1/employees/7?expand=teams", "/v1/search?q=a", "/v1/org-chart?root=7")
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def whole(body: bytes, head: bytes = JSON) -> bytes:
    return head + b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(body) + body


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A body that begins as it should, and never ends."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(JSON + b'transfer-encoding: chunked\r\n\r\n7\r\n{"id":[\r\n')
    while True:
        writer.write(b"10000\r\n" + b"1," * 0x8000 + b"\r\n")
        await writer.drain()


BAD: dict[str, Handler] = {
    "10 MB": replying(whole(b'{"id": 7, "x": "' + b"y" * 10 * MB + b'"}')),
    "NaN": replying(whole(b'{"id": NaN}')),
    "wrong types": replying(whole(b'{"items": {"id": "7"}, "next": 1, "id": "seven"}')),
    "HTML with 200": replying(whole(HTML, b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n")),
    "HTML said to be JSON": replying(whole(HTML)),
    "200 MB in a gzip": replying(whole(gzip.compress(b" " * 200 * MB, 1), JSON + b"content-encoding: gzip\r\n")),
    "deep": replying(whole(b"[" * 500_000)),
    "endless": endless,
    "elsewhere": replying(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"),
}


def front(roster: Roster, url: str) -> None:
    """A gateway alone, before a service at this address."""
    roster.gateway.env |= {"GATEWAY_EMPLOYEES_URL": url, "GATEWAY_TEAMS_URL": url, "GATEWAY_REQUEST_TIMEOUT_MS": "10000"}
    roster.start("gateway")


async def test_an_answer_that_cannot_be_merged_is_a_502_and_takes_no_memory(tmp_path: Path) -> None:
    servers, kind = RawServers(tmp_path), ""

    async def bad(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await BAD[kind](reader, writer)

    with Roster(tmp_path / "roster") as roster:
        url = await servers.start(bad)
        await asyncio.to_thread(front, roster, url)
        headers = {"Cookie": await asyncio.to_thread(roster.log_in)}
        async with httpx.AsyncClient(base_url=roster.gateway.url, headers=headers, trust_env=False, timeout=60) as http:
            for kind in BAD:
                with Growth(roster.gateway.pid) as growth:
                    answers = await asyncio.gather(*(http.get(path) for path in PATHS * 4))
                assert {answer.status_code for answer in answers} == {502}, kind
                assert {answer.headers["content-type"] for answer in answers} == {"application/problem+json"}, kind
                assert growth.bytes < BOUND, kind
                assert (await http.get("/v1/session")).status_code == 200, kind
    await servers.stop()


async def test_a_proxy_of_the_environment_sees_nothing(tmp_path: Path) -> None:
    """Also none that is set for everything: who asks services is told where they are, and the assertion goes nowhere else."""
    servers, heads = RawServers(tmp_path), list[bytes]()
    trap = await servers.start(replying(whole(b"{}"), heads=heads))
    with Roster(tmp_path / "roster") as roster:
        for process in (roster.employees, roster.teams, roster.gateway):
            names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
            process.env |= {spelled: trap for name in names for spelled in (name, name.lower())}
        await asyncio.to_thread(roster.start, "employees", "teams", "gateway")
        cookie = await asyncio.to_thread(roster.log_in)
        async with httpx.AsyncClient(base_url=roster.gateway.url, headers={"Cookie": cookie}, trust_env=False, timeout=60) as http:
            made = await http.post("/v1/employees", json={"username": "ada", "email": "ada@roster.example"})
            await http.post("/v1/teams", json={"slug": "crew", "name": "Crew"})
            assert made.status_code == 201
            assert (await http.get("/v1/employees/1?expand=teams")).headers["x-gateway-complete"] == "true"
            assert (await http.put("/v1/teams/1/members/1", json={"role": "lead"})).status_code in (200, 201)
            deleted = await http.delete("/v1/employees/1")
            assert deleted.status_code == 204
            for _ in range(math.ceil(60 / 0.2)):  # teams hears of it by the feed
                members = (await http.get("/v1/teams/1/members")).json()["items"]
                if not members:
                    break
                await asyncio.sleep(0.2)
            assert members == []
    assert heads == []
    await servers.stop()

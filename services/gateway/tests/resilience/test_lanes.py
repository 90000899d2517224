"""Places on the way to a service: how long one is held, and by whom."""

import asyncio
from typing import Any

import pytest

from gateway.resilience import Full
from shared.pool import PoolError
from shared.testing.raw import OK, RawServers, until


def soon(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_a_place_is_kept_until_the_answer_has_ended(servers: RawServers, to: Any, ask: Any) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf")
        await reader.read()

    calls = to(await servers.start(handler))
    response = await calls.requests.request(b"GET", b"/", [], deadline=soon(10))
    assert calls.requests.busy == 1
    response.close()
    assert (calls.requests.busy, calls.reads.total) == (0, 0)


async def test_an_answer_that_breaks_off_is_a_failure(servers: RawServers, to: Any, ask: Any) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf")
        await asyncio.sleep(0.01)

    calls = to(await servers.start(handler))
    with pytest.raises(PoolError):
        await ask(calls)
    assert (calls.reads.total, calls.reads.failed) == (1, 1)
    assert calls.requests.busy == 0


async def test_writes_that_hang_take_no_reads_with_them(servers: RawServers, to: Any, ask: Any) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (await reader.readuntil(b"\r\n\r\n")).startswith(b"GET"):
            writer.write(OK)
        await reader.read()

    calls = to(await servers.start(handler), requests=2)
    writes = [asyncio.create_task(calls.requests.request(b"DELETE", b"/", [], deadline=soon(30))) for _ in range(2)]
    await until(lambda: calls.requests.busy == 2)
    with pytest.raises(Full):
        await calls.requests.request(b"DELETE", b"/", [], deadline=soon(30))
    assert [await ask(calls) for _ in range(3)] == [200] * 3
    assert (calls.requests.busy, calls.requests.refused) == (2, 1)
    for write in writes:
        write.cancel()
    await asyncio.wait(writes)
    assert calls.requests.busy == 0


async def test_transfers_and_feeds_leave_room_for_requests(servers: RawServers, to: Any, ask: Any) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(OK if b"x-request-timeout-ms" in head else b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf")
        await reader.read()

    calls = to(await servers.start(handler), requests=2, transfers=2)
    held = [await calls.lanes[lane].request(b"GET", b"/", []) for lane in ("transfers", "transfers", "feeds", "feeds", "feeds")]
    with pytest.raises(Full):
        await calls.lanes["transfers"].request(b"GET", b"/", [])
    assert set(await asyncio.gather(ask(calls), ask(calls))) == {200}
    assert calls.reads.total == 5 + 2, "of what may last for minutes, the head of the answer decides"
    for response in held:
        response.close()
    assert calls.lanes["transfers"].busy == 0

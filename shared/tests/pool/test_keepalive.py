"""The keep-alive race: the server closes an idle connection in the moment in which a request is sent on it."""

import asyncio
import random
import socket
from collections.abc import Callable

import pytest
import uvloop

from shared.pool import ConnectionLost, Pool
from shared.testing.raw import OK, RawServers

Pools = Callable[..., Pool]
TIMES = 10_000
AT_ONCE = 20


async def hasty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers the first request of a connection, and lets go of it about when the next one comes."""
    chance = random.Random()
    await reader.readuntil(b"\r\n\r\n")
    writer.write(OK)
    while True:
        try:
            async with asyncio.timeout(0.002 * chance.random() + 0.0005):
                await reader.readuntil(b"\r\n\r\n")
        except TimeoutError:
            return
        writer.write(OK)


async def ask(pool: Pool) -> bytes:
    """As who uses a pool does: once more, on a fresh connection, when the race was lost."""
    try:
        response = await pool.request(b"GET", b"/")
    except ConnectionLost as error:
        if not error.stale:
            raise
        response = await pool.request(b"GET", b"/", fresh=True)
    return await response.read()


async def test_no_get_need_be_lost_to_it(servers: RawServers, pools: Pools) -> None:
    pool = pools(await servers.start(hasty), size=AT_ONCE)
    chance = random.Random(3)
    answered = 0

    async def worker() -> None:
        nonlocal answered
        for _ in range(TIMES // AT_ONCE):
            assert await ask(pool) == b"ok"
            answered += 1
            await asyncio.sleep(chance.random() * 0.003)

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    assert answered == TIMES
    assert servers.connections > AT_ONCE


async def second_request_lost(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")


async def test_it_can_be_told_from_other_losses(servers: RawServers, pools: Pools) -> None:
    pool = pools(await servers.start(second_request_lost))
    await (await pool.request(b"GET", b"/")).read()
    with pytest.raises(ConnectionLost) as caught:
        await pool.request(b"GET", b"/")
    assert (caught.value.stale, caught.value.sent, caught.value.reused, caught.value.received) == (True, True, True, False)


async def test_a_loss_on_a_fresh_connection_is_no_race(servers: RawServers, pools: Pools) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    pool = pools(await servers.start(handler))
    with pytest.raises(ConnectionLost) as caught:
        await pool.request(b"GET", b"/")
    assert (caught.value.stale, caught.value.sent, servers.connections) == (False, True, 1)


async def test_the_pool_sends_nothing_again_by_itself(servers: RawServers, pools: Pools) -> None:
    for method in (b"GET", b"HEAD", b"DELETE", b"POST"):
        pool = pools(await servers.start(second_request_lost))
        await (await pool.request(b"GET", b"/")).read()
        before = servers.connections
        with pytest.raises(ConnectionLost):
            await pool.request(method, b"/")
        assert servers.connections == before


async def test_a_fresh_connection_is_fresh_even_when_the_pool_is_full(servers: RawServers, pools: Pools) -> None:
    pool = pools(await servers.answer(OK), size=2)
    for _ in range(2):
        responses = await asyncio.gather(pool.request(b"GET", b"/"), pool.request(b"GET", b"/"))
        for response in responses:
            await response.read()
    assert (pool.idle, servers.connections) == (2, 2)
    await (await pool.request(b"GET", b"/", fresh=True)).read()
    assert (pool.open, servers.connections) == (2, 3)


@pytest.mark.parametrize("last", [b"", b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"], ids=["its end", "bytes"])
async def test_what_came_before_a_request_was_written_loses_nothing(last: bytes, pools: Pools) -> None:
    """The server has let go, and the loop has not looked. uvloop looks before it writes, so the request stays here, and any may be sent
    again; asyncio writes first.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:
        pool = pools(f"http://127.0.0.1:{listening.getsockname()[1]}")
        first = asyncio.create_task(pool.request(b"GET", b"/"))
        theirs, _ = await asyncio.to_thread(listening.accept)
        with theirs:
            theirs.settimeout(20)
            await asyncio.to_thread(theirs.recv, 1000)
            theirs.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            await (await first).read()
            theirs.sendall(last)
            theirs.shutdown(socket.SHUT_WR)
            try:
                await pool.request(b"POST", b"/", body=b"body")
                sent = True
            except ConnectionLost as error:
                sent = error.sent
            received = await asyncio.to_thread(theirs.recv, 1000)
            assert sent is (received != b"")
            assert not sent or not isinstance(asyncio.get_running_loop(), uvloop.Loop)

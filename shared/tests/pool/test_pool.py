"""Connections are kept, bounded, handed out in turn, and let go at once when the other side closes."""

import asyncio
import socket
import time
from collections.abc import Callable

import pytest

from shared.pool import ConnectFailed, ConnectionLost, ConnectTimeout, Pool, PoolClosed, PoolTimeout, ProtocolViolation, ReadTimeout
from shared.testing.raw import OK, RawServers, until

Pools = Callable[..., Pool]


@pytest.mark.parametrize("unix", [False, True])
async def test_one_connection_serves_one_request_after_the_other(servers: RawServers, pools: Pools, unix: bool) -> None:
    heads = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(OK)

    pool = pools(await servers.start(handler, unix=unix))
    assert (pool.open, pool.idle) == (0, 0)
    for _ in range(5):
        response = await pool.request(b"GET", b"/a?b=c", [(b"accept", b"*/*")])
        assert (response.status, response.headers, await response.read()) == (200, [(b"content-length", b"2")], b"ok")
        assert (pool.open, pool.idle) == (1, 1)
    assert servers.connections == 1
    assert set(heads) == {b"GET /a?b=c HTTP/1.1\r\nhost: %b\r\naccept: */*\r\n\r\n" % pool.origin.authority.encode()}


async def test_a_body_of_bytes_is_announced_and_sent(servers: RawServers, pools: Pools) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"content-length: 5\r\n" in head
        writer.write(b"HTTP/1.1 201 Created\r\ncontent-length: 5\r\n\r\n" + await reader.readexactly(5))

    pool = pools(await servers.start(handler))
    response = await pool.request(b"POST", b"/", body=b"hello")
    assert (response.status, await response.read()) == (201, b"hello")


async def test_waiters_are_served_in_turn(servers: RawServers, pools: Pools) -> None:
    served = []
    gate = asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            await gate.wait()
            served.append(int(head.split(b" ")[1][1:]))
            writer.write(OK)

    pool = pools(await servers.start(handler), size=1)
    tasks = []
    for number in range(10):
        tasks.append(asyncio.create_task(pool.request(b"GET", b"/%d" % number)))
        await asyncio.sleep(0)
    await until(lambda: pool.waiting == 9)
    tasks[4].cancel()
    await until(lambda: pool.waiting == 8)
    gate.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert served == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    assert (servers.connections, pool.open, pool.idle, pool.waiting) == (1, 1, 1, 0)


async def test_never_more_connections_than_allowed(servers: RawServers, pools: Pools) -> None:
    pool = pools(await servers.answer(OK), size=3)
    most = 0

    async def ask() -> None:
        nonlocal most
        await (await pool.request(b"GET", b"/")).read()
        most = max(most, pool.open)

    await asyncio.gather(*(ask() for _ in range(200)))
    assert (most, servers.connections, pool.idle) == (3, 3, 3)


async def test_waits_only_so_long_for_a_connection(servers: RawServers, pools: Pools) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    pool = pools(await servers.start(silent), size=1, wait_timeout=0.01)
    first = asyncio.create_task(pool.request(b"GET", b"/"))
    await until(lambda: servers.connections == 1)
    with pytest.raises(PoolTimeout) as caught:
        await pool.request(b"GET", b"/")
    assert not caught.value.sent
    first.cancel()
    await asyncio.wait([first])
    assert pool.open == 0


def test_by_default_a_connection_has_250_ms_and_a_place_in_the_pool_50() -> None:
    pool = Pool("http://127.0.0.1:1")
    assert (pool.connect_timeout, pool.wait_timeout) == (0.25, 0.05)


async def test_a_free_place_goes_to_the_one_who_waits(servers: RawServers, pools: Pools) -> None:
    """The connection that was waited for is closed: the waiter makes its own."""
    pool = pools(await servers.answer(OK, close=True), size=1)
    responses = await asyncio.gather(*(pool.request(b"GET", b"/") for _ in range(20)), return_exceptions=True)
    assert all(not isinstance(response, PoolTimeout) for response in responses)
    assert any(not isinstance(response, BaseException) for response in responses)
    await until(lambda: pool.open == 0)


async def test_refused(servers: RawServers, pools: Pools, unused_tcp_port: int) -> None:
    for origin in (f"http://127.0.0.1:{unused_tcp_port}", "unix:///nowhere/at-all.sock"):
        pool = pools(origin)
        with pytest.raises(ConnectFailed) as caught:
            await pool.request(b"GET", b"/")
        assert not caught.value.sent
        assert pool.open == 0


async def test_no_connection_in_time(pools: Pools) -> None:
    """A listener whose queue is full: the kernel answers nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = []
        try:
            for _ in range(8):
                filler = socket.socket()
                filler.setblocking(False)
                fillers.append(filler)
                filler.connect_ex(("127.0.0.1", port))
            pool = pools(f"http://127.0.0.1:{port}", connect_timeout=0.02)
            with pytest.raises(ConnectTimeout) as caught:
                await pool.request(b"GET", b"/")
            assert not caught.value.sent
            with pytest.raises(ReadTimeout):
                await pool.request(b"GET", b"/", deadline=asyncio.get_running_loop().time() + 0.01, connect_timeout=5.0)
            assert pool.open == 0
        finally:
            for filler in fillers:
                filler.close()


async def test_a_loop_that_stood_still_finds_the_connection_that_was_made_meanwhile(servers: RawServers, pools: Pools) -> None:
    """The limit is over when the loop goes on, but the other side was in time: that must not count as its failure."""
    pool = pools(await servers.answer(OK), connect_timeout=0.05)
    asked = asyncio.create_task(pool.request(b"GET", b"/"))
    await asyncio.sleep(0)
    time.sleep(0.1)  # noqa: ASYNC251 - what a busy machine does to a loop
    assert (await asked).status == 200


async def test_an_idle_connection_that_is_closed_is_gone_at_once(servers: RawServers, pools: Pools) -> None:
    pool = pools(await servers.answer(OK, close=True))
    await (await pool.request(b"GET", b"/")).read()
    await until(lambda: (pool.open, pool.idle) == (0, 0))


async def test_bytes_on_an_idle_connection_close_it(servers: RawServers, pools: Pools) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await told.wait()
        writer.write(OK)
        closed.set_result(await reader.read())

    told = asyncio.Event()
    closed: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    pool = pools(await servers.start(handler))
    await (await pool.request(b"GET", b"/")).read()
    assert pool.idle == 1
    told.set()
    await until(lambda: (pool.open, pool.idle) == (0, 0))
    assert await asyncio.wait_for(closed, 10) == b""


async def test_an_idle_connection_is_let_go_after_its_time(servers: RawServers, pools: Pools) -> None:
    pool = pools(await servers.answer(OK), idle=0.02)
    for _ in range(3):
        await (await pool.request(b"GET", b"/", deadline=asyncio.get_running_loop().time() + 60)).read()
        assert pool.idle == 1
        await until(lambda: pool.open == 0)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart"])
async def test_the_deadline_ends_a_request(servers: RawServers, pools: Pools, answer: bytes) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await reader.read()

    pool = pools(await servers.start(handler))
    with pytest.raises(ReadTimeout) as caught:
        await (await pool.request(b"GET", b"/", deadline=asyncio.get_running_loop().time() + 0.05)).read()
    assert caught.value.sent
    assert pool.open == 0


async def test_a_deadline_that_has_passed_sends_nothing_new(servers: RawServers, pools: Pools) -> None:
    pool = pools(await servers.answer(OK))
    with pytest.raises(ReadTimeout):
        await (await pool.request(b"GET", b"/", deadline=asyncio.get_running_loop().time() - 1)).read()
    assert pool.open == 0


async def test_a_short_deadline_after_a_long_one_is_kept(servers: RawServers, pools: Pools) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await reader.read()

    pool = pools(await servers.start(handler))
    now = asyncio.get_running_loop().time()
    await (await pool.request(b"GET", b"/", deadline=now + 3600)).read()
    async with asyncio.timeout(10):
        with pytest.raises(ReadTimeout):
            await pool.request(b"GET", b"/", deadline=now + 0.05)


async def test_silence_ends_a_request_that_has_an_idle_timeout(servers: RawServers, pools: Pools) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n")
        for _ in range(4):
            await asyncio.sleep(0.02)
            writer.write(b"x")
        await reader.read()

    pool = pools(await servers.start(handler))
    response = await pool.request(b"GET", b"/", idle=0.3)
    with pytest.raises(ReadTimeout):
        await response.read()
    assert pool.open == 0


async def test_a_connection_that_will_be_closed_is_not_kept(servers: RawServers, pools: Pools) -> None:
    pool = pools(await servers.answer(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"))
    assert await (await pool.request(b"GET", b"/")).read() == b"ok"
    assert pool.open == 0


async def test_a_body_that_ends_with_the_connection(servers: RawServers, pools: Pools) -> None:
    pool = pools(await servers.answer(b"HTTP/1.1 200 OK\r\n\r\nall of it", close=True))
    assert await (await pool.request(b"GET", b"/")).read() == b"all of it"
    assert pool.open == 0


async def test_a_cut_body_is_an_error_after_what_came(servers: RawServers, pools: Pools) -> None:
    pool = pools(await servers.answer(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart", close=True))
    response = await pool.request(b"GET", b"/")
    assert await response.receive() == b"part"
    with pytest.raises(ConnectionLost) as caught:
        await response.receive()
    assert caught.value.sent
    assert caught.value.received
    assert not caught.value.stale


async def test_a_bad_response_is_refused_and_its_connection_closed(servers: RawServers, pools: Pools) -> None:
    pool = pools(await servers.answer(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"))
    with pytest.raises(ProtocolViolation):
        await pool.request(b"GET", b"/")
    assert pool.open == 0


async def test_a_body_beyond_the_readers_limit(servers: RawServers, pools: Pools) -> None:
    pool = pools(await servers.answer(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"400\r\n%b\r\n" % (b"x" * 1024) * 100))
    with pytest.raises(ProtocolViolation):
        await (await pool.request(b"GET", b"/")).read(limit=10_000)
    assert pool.open == 0


async def test_a_redirect_is_an_answer_like_any_other(servers: RawServers, pools: Pools) -> None:
    pool = pools(await servers.answer(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"))
    assert (await pool.request(b"GET", b"/")).status == 302
    assert servers.connections == 1


async def test_a_closed_pool_takes_nothing_and_lets_go_of_everything(servers: RawServers, pools: Pools) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    pool = pools(await servers.start(silent), size=2)
    tasks = [asyncio.create_task(pool.request(b"GET", b"/")) for _ in range(4)]
    await until(lambda: servers.connections == 2 and pool.waiting == 2)
    await pool.aclose()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [PoolClosed] * 4
    with pytest.raises(PoolClosed):
        await pool.request(b"GET", b"/")


@pytest.mark.parametrize(
    "origin", ["", "127.0.0.1:80", "https://a", "http://", "http://a/b", "http://a?b", "http://u@a", "unix://a/b", "unix:a", "http://a b"]
)
def test_refuses_what_is_no_origin(origin: str) -> None:
    with pytest.raises(ValueError, match="origin"):
        Pool(origin)

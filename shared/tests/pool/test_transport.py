"""An httpx client over the pool: its own origin only, its own exceptions, nothing from the environment, nothing compressed."""

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from shared.pool import ConnectionLost, Pool, PoolError, PoolTransport
from shared.testing.raw import OK, RawServers, until

Pools = Callable[..., Pool]


def client(pool: Pool, **settings: int) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=PoolTransport(pool, **settings), base_url=pool.base_url)


@pytest.mark.parametrize("unix", [False, True])
async def test_asks_and_reads(servers: RawServers, pools: Pools, unix: bool) -> None:
    heads = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 7\r\n\r\n{"a":1}')

    pool = pools(await servers.start(handler, unix=unix), authority="things" if unix else None)
    async with client(pool) as http:
        for _ in range(3):
            assert (await http.get("/a", params={"q": "b c"}, headers={"Connection": "close", "TE": "trailers"})).json() == {"a": 1}
    assert servers.connections == 1
    head = heads[0].lower()
    assert head.startswith(b"get /a?q=b+c http/1.1\r\nhost: %b\r\n" % pool.origin.authority.encode())
    for name in (b"connection", b"accept-encoding", b"te", b"transfer-encoding"):
        assert b"\r\n%b:" % name not in head


async def test_posts_and_streams_both_ways(servers: RawServers, pools: Pools) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if b"transfer-encoding: chunked" in head:
                body = await reader.readuntil(b"0\r\n\r\n")
            else:
                length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
                body = await reader.readexactly(length)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))

    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    async with client(pools(await servers.start(handler))) as http:
        assert (await http.post("/", json={"a": 1})).content == b'{"a":1}'
        assert (await http.post("/", content=pieces())).content == b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"
        assert (await http.put("/", content=pieces(), headers={"Content-Length": "6"})).content == b"onetwo"
        assert (await http.post("/")).content == b""
        async with http.stream("POST", "/", content=b"body") as response:
            assert b"".join([part async for part in response.aiter_raw()]) == b"body"


@pytest.mark.parametrize("url", ["http://elsewhere/", "https://127.0.0.1/", "http://127.0.0.1:1/"])
async def test_speaks_to_no_other_origin(servers: RawServers, pools: Pools, url: str) -> None:
    async with client(pools(await servers.answer(OK))) as http:
        with pytest.raises(httpx.UnsupportedProtocol):
            await http.get(url)
    assert servers.connections == 0


async def test_no_proxy_of_the_environment(servers: RawServers, pools: Pools, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with client(pools(await servers.answer(OK))) as http:
        assert (await http.get("/")).content == b"ok"


async def test_redirects_are_not_followed(servers: RawServers, pools: Pools) -> None:
    origin = await servers.answer(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n")
    async with client(pools(origin)) as http:
        assert (await http.get("/")).status_code == 302


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"nonsense\r\n\r\n", httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart", httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\nxx", httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\n" + b"x" * 2000, httpx.RemoteProtocolError),
        (b"", httpx.RemoteProtocolError),
    ],
)
async def test_bad_answers(servers: RawServers, pools: Pools, answer: bytes, kind: type[Exception]) -> None:
    pool = pools(await servers.answer(answer, close=True))
    async with client(pool, max_body=1000) as http:
        with pytest.raises(kind) as caught:
            await http.get("/")
    assert isinstance(caught.value.__cause__, PoolError)
    await until(lambda: pool.open == 0)


async def test_nobody_there(pools: Pools, unused_tcp_port: int) -> None:
    async with client(pools(f"http://127.0.0.1:{unused_tcp_port}")) as http:
        with pytest.raises(httpx.ConnectError) as caught:
            await http.get("/")
    assert isinstance(caught.value.__cause__, PoolError)
    assert not caught.value.__cause__.sent


async def test_httpx_timeouts_are_kept(servers: RawServers, pools: Pools) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    pool = pools(await servers.start(silent))
    async with client(pool) as http:
        with pytest.raises(httpx.ReadTimeout):
            await http.get("/", timeout=httpx.Timeout(None, read=0.05))
        with pytest.raises(httpx.ReadTimeout):
            await http.get("/", timeout=None, extensions={"deadline": asyncio.get_running_loop().time() + 0.05})
    assert pool.open == 0


async def test_a_pool_without_a_free_place_is_a_pool_timeout(servers: RawServers, pools: Pools) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    pool = pools(await servers.start(silent), size=1, wait_timeout=0.01)
    async with client(pool) as http:
        holder = asyncio.create_task(http.get("/", timeout=None))
        await until(lambda: servers.connections == 1)
        with pytest.raises(httpx.PoolTimeout):
            await http.get("/", timeout=None)
        holder.cancel()
        await asyncio.wait([holder])
    assert pool.open == 0


async def test_the_keep_alive_race_can_be_told_by_the_cause(servers: RawServers, pools: Pools) -> None:
    async def second_request_lost(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await reader.readuntil(b"\r\n\r\n")

    pool = pools(await servers.start(second_request_lost))
    async with client(pool) as http:
        assert (await http.get("/")).content == b"ok"
        with pytest.raises(httpx.RemoteProtocolError) as caught:
            await http.get("/")
    assert isinstance(caught.value.__cause__, ConnectionLost)
    assert caught.value.__cause__.stale


async def test_cancelled_clients_leave_the_pool_whole(servers: RawServers, pools: Pools) -> None:
    """httpx's own transport ends in PoolTimeout for ever after this (httpcore issue 1093)."""

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(0.005)
            writer.write(OK)

    pool = pools(await servers.start(slow), size=10)
    async with client(pool) as http:
        for round_ in range(20):
            tasks = [asyncio.create_task(http.get("/")) for _ in range(100)]
            await asyncio.sleep(0.001 * round_)
            for task in tasks[round_ % 2 :: 2]:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert {type(result) for result in results} <= {httpx.Response, asyncio.CancelledError}
        assert [(await http.get("/")).status_code for _ in range(20)] == [200] * 20
    assert pool.open == pool.idle <= 10

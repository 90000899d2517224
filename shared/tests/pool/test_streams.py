"""Bodies stream both ways, no faster than they are taken, and an early answer ends the sending."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from shared.pool import ConnectionLost, Pool
from shared.pool.connection import HIGH_WATER
from shared.testing.raw import RawServers, until

Pools = Callable[..., Pool]
PIECE = b"x" * 16_384
BOUND = 16 * 1024 * 1024


async def read_chunked(reader: asyncio.StreamReader) -> bytes:
    """A whole body in chunks."""
    body = bytearray()
    while size := int(await reader.readline(), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    assert await reader.readline() == b"\r\n"
    return bytes(body)


async def pieces(*given: bytes) -> AsyncIterator[bytes]:
    for piece in given:
        await asyncio.sleep(0)
        yield piece


async def test_a_body_in_chunks(servers: RawServers, pools: Pools) -> None:
    got = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            got.append(await reader.readuntil(b"\r\n\r\n"))
            got.append(await read_chunked(reader))
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    pool = pools(await servers.start(handler))
    for _ in range(2):
        response = await pool.request(b"POST", b"/", body=pieces(b"one", b"", b"two"))
        assert (response.status, pool.idle) == (204, 1)
    assert got[1::2] == [b"onetwo"] * 2
    assert b"transfer-encoding: chunked\r\n" in got[0]
    assert servers.connections == 1


async def test_a_body_of_known_length(servers: RawServers, pools: Pools) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert b"content-length: 6\r\n" in await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(6) == b"onetwo"
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    pool = pools(await servers.start(handler))
    assert (await pool.request(b"PUT", b"/", body=pieces(b"one", b"two"), length=6)).status == 204


@pytest.mark.parametrize("length", [2, 4])
async def test_a_body_of_another_length_than_announced(servers: RawServers, pools: Pools, length: int) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    pool = pools(await servers.start(handler))
    with pytest.raises(ValueError, match="announced length"):
        await pool.request(b"PUT", b"/", body=pieces(b"one"), length=length)
    assert pool.open == 0


async def test_a_body_that_fails_fails_the_request(servers: RawServers, pools: Pools) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def broken() -> AsyncIterator[bytes]:
        yield b"one"
        raise LookupError("gone")

    pool = pools(await servers.start(handler))
    with pytest.raises(LookupError):
        await pool.request(b"PUT", b"/", body=broken())
    assert pool.open == 0
    assert len(asyncio.all_tasks()) == 1 + len(servers.tasks)


@pytest.mark.parametrize("unix", [False, True])
async def test_an_upload_is_read_no_faster_than_it_is_taken(servers: RawServers, pools: Pools, unix: bool) -> None:
    drawn = 0
    go = asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await go.wait()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n%08d" % len(await read_chunked(reader)))

    async def endless() -> AsyncIterator[bytes]:
        nonlocal drawn
        while drawn < 2 * BOUND:
            drawn += len(PIECE)
            yield PIECE

    pool = pools(await servers.start(handler, unix=unix))
    task = asyncio.create_task(pool.request(b"POST", b"/", body=endless()))
    last = -1
    while last != drawn:
        last = drawn
        await asyncio.sleep(0.05)
    assert 0 < drawn < BOUND
    go.set()
    assert int(await (await task).read()) == 2 * BOUND


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_download_is_read_no_faster_than_it_is_taken(servers: RawServers, pools: Pools, chunked: bool) -> None:
    sent = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        framing = b"transfer-encoding: chunked" if chunked else b"content-length: %d" % (2 * BOUND)
        writer.write(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % framing)
        while sent < 2 * BOUND:
            writer.write(b"4000\r\n%b\r\n" % PIECE if chunked else PIECE)
            await writer.drain()
            sent += len(PIECE)
        if chunked:
            writer.write(b"0\r\n\r\n")
        await reader.read()

    pool = pools(await servers.start(handler))
    response = await pool.request(b"GET", b"/")
    last = -1
    while last != sent:
        last = sent
        await asyncio.sleep(0.05)
    assert 0 < sent < BOUND
    assert response.waiting < HIGH_WATER + 512 * 1024
    size = 0
    while part := await response.receive():
        size += len(part)
    assert (size, pool.idle) == (2 * BOUND, 1)


async def test_a_slow_reader_is_not_the_servers_silence(servers: RawServers, pools: Pools) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % BOUND)
        for _ in range(BOUND // len(PIECE)):
            writer.write(PIECE)
            await writer.drain()
        await reader.read()

    pool = pools(await servers.start(handler))
    response = await pool.request(b"GET", b"/", idle=0.2)
    await asyncio.sleep(0.6)
    assert len(await response.read()) == BOUND


@pytest.mark.parametrize("stalls", [False, True])
async def test_an_early_answer_ends_the_sending(servers: RawServers, pools: Pools, stalls: bool) -> None:
    """Also when nothing more comes to be sent; the connection is not used again."""
    over = asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig")
        while await reader.read(65_536):
            pass

    async def upload() -> AsyncIterator[bytes]:
        try:
            while True:
                yield PIECE
                if stalls:
                    await asyncio.Event().wait()
        finally:
            over.set()

    pool = pools(await servers.start(handler))
    async with asyncio.timeout(10):
        response = await pool.request(b"POST", b"/", body=upload())
    assert (response.status, await response.read(), pool.open) == (413, b"big", 0)
    assert over.is_set()
    assert len(asyncio.all_tasks()) == 1 + len(servers.tasks)


async def test_an_upload_to_a_server_that_goes_away(servers: RawServers, pools: Pools) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield PIECE

    pool = pools(await servers.start(handler))
    async with asyncio.timeout(10):
        with pytest.raises(ConnectionLost) as caught:
            await pool.request(b"POST", b"/", body=endless())
    assert caught.value.sent
    assert pool.open == 0


async def test_a_response_that_is_closed_half_read_closes_its_connection(servers: RawServers, pools: Pools) -> None:
    pool = pools(await servers.answer(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart"))
    async with await pool.request(b"GET", b"/") as response:
        assert await response.receive() == b"part"
        assert pool.open == 1
    assert pool.open == 0
    await until(lambda: not servers.tasks)


async def test_a_response_that_has_all_arrived_gives_its_connection_back_unread(servers: RawServers, pools: Pools) -> None:
    pool = pools(await servers.answer(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody"))
    async with await pool.request(b"GET", b"/") as first, await pool.request(b"GET", b"/") as second:
        assert pool.idle == 1
        assert (await first.read(), await second.read()) == (b"body", b"body")
    assert (pool.idle, servers.connections) == (1, 1)


async def test_an_answer_in_any_pieces(servers: RawServers, pools: Pools) -> None:
    data = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            step = int((await reader.readuntil(b"\r\n\r\n")).split(b" ")[1][1:])
            for start in range(0, len(data), step):
                writer.write(data[start : start + step])
                await asyncio.sleep(0)

    pool = pools(await servers.start(handler))
    for step in (1, 2, 5, 11, 100):
        response = await pool.request(b"GET", b"/%d" % step)
        assert b"".join([part async for part in response]) == b"onetwo"
    assert pool.idle == 1

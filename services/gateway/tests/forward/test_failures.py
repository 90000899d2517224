"""What becomes of a request when its service fails, before the answer has begun and after."""

import asyncio
from typing import Any

import pytest

from gateway.forward import BrokenResponse
from shared.testing.raw import OK, RawServers, replying, silent


async def test_nobody_there_is_503(unused_tcp_port: int, opened: Any) -> None:
    async with opened(f"http://127.0.0.1:{unused_tcp_port}") as door:
        status, fields, _ = await door.ask(b"POST /v1/things HTTP/1.1\ncontent-length: 2\n", b"hi")
        assert (status, fields["retry-after"]) == (503, "1")


async def test_too_many_at_once_is_503(servers: RawServers, opened: Any) -> None:
    async with opened(await servers.start(silent), size=1, wait_timeout=0.01, seconds=1.0) as door:
        statuses = await asyncio.gather(*(door.ask(b"GET /v1/things HTTP/1.1\n") for _ in range(5)))
        assert sorted(status for status, _, _ in statuses) == [503, 503, 503, 503, 504]
        await door.settled()


async def test_no_answer_in_time_is_504(servers: RawServers, opened: Any) -> None:
    async with opened(await servers.start(silent), seconds=0.1) as door:
        assert (await door.ask(b"GET /v1/things HTTP/1.1\n"))[0] == 504
        await door.settled()
        assert door.pool.open == 0


async def test_no_time_left_asks_nothing(servers: RawServers, opened: Any) -> None:
    async with opened(await servers.start(replying(OK)), seconds=0.004) as door:
        assert (await door.ask(b"GET /v1/things HTTP/1.1\n"))[0] == 504
    assert servers.connections == 0


@pytest.mark.parametrize(
    "answer",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 0\r\ncontent-type: text/plain\r\n\r\n",
        b"HTTP/1.1 201 Created\r\nlocation: /a\r\nlocation: /b\r\ncontent-length: 0\r\n\r\n",
    ],
)
async def test_an_answer_that_cannot_be_passed_on_is_502(servers: RawServers, answer: bytes, opened: Any) -> None:
    async with opened(await servers.start(replying(answer))) as door:
        assert (await door.ask(b"GET /v1/things HTTP/1.1\n"))[0] == 502


@pytest.mark.parametrize("framing", [b"content-length: 100", b"transfer-encoding: chunked"])
async def test_an_answer_without_a_byte_of_its_body_is_502(servers: RawServers, framing: bytes, opened: Any) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % framing)
        await asyncio.sleep(0.05)

    async with opened(await servers.start(handler)) as door:
        assert (await door.ask(b"GET /v1/things HTTP/1.1\n"))[0] == 502
        await door.settled()


async def lost_on_reuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(OK)
    await reader.readuntil(b"\r\n\r\n")


async def test_a_get_survives_the_keep_alive_race_and_a_post_is_not_repeated(servers: RawServers, opened: Any) -> None:
    async with opened(await servers.start(lost_on_reuse)) as door:
        for _ in range(3):
            assert (await door.ask(b"GET /v1/things HTTP/1.1\n"))[0] == 200
        assert (await door.ask(b"POST /v1/things HTTP/1.1\ncontent-length: 2\n", b"hi"))[0] == 502
        assert (await door.ask(b"GET /v1/things HTTP/1.1\n"))[0] == 200
        assert (await door.ask(b"DELETE /v1/things/1 HTTP/1.1\n"))[0] == 502


@pytest.mark.parametrize("framing", [b"content-length: 100", b"transfer-encoding: chunked"])
async def test_an_answer_that_breaks_off_never_looks_whole(servers: RawServers, framing: bytes, opened: Any) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n4\r\npart\r\n" % framing)
        await asyncio.sleep(0.05)

    async with opened(await servers.start(handler)) as door:
        with pytest.raises(asyncio.IncompleteReadError):
            await door.ask(b"GET /v1/things HTTP/1.1\n")
        assert isinstance(door.seen[0], BrokenResponse)
        await door.settled()


async def test_the_deadline_holds_for_the_body_too(servers: RawServers, opened: Any) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart")
        await reader.read()

    async with opened(await servers.start(handler), seconds=0.2) as door:
        with pytest.raises(asyncio.IncompleteReadError):
            await door.ask(b"GET /v1/things HTTP/1.1\n")
        assert isinstance(door.seen[0], BrokenResponse)

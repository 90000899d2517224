"""Bodies pass both ways as fast as they are taken, and for as long as they move."""

import asyncio
import re
from typing import Any

import pytest

from shared.testing.raw import OK, RawServers, silent

BIG = 32 * 1024 * 1024
PIECE = b"x" * 65_536


async def test_an_upload_is_taken_no_faster_than_the_service_takes_it(servers: RawServers, opened: Any) -> None:
    go = asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await go.wait()
        left = BIG
        while left:
            left -= len(await reader.read(min(left, 1 << 20)))
        writer.write(OK)

    async with opened(await servers.start(handler), seconds=None) as door:
        reader, writer = await door.connect()
        sent = 0

        async def send() -> None:
            nonlocal sent
            writer.write(b"POST /v1/things HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % BIG)
            while sent < BIG:
                writer.write(PIECE)
                await writer.drain()
                sent += len(PIECE)

        task = asyncio.create_task(send())
        last = -1
        while last != sent:
            last = sent
            await asyncio.sleep(0.1)
        assert sent < BIG
        go.set()
        assert (await door.read(reader))[0] == 200
        await task
        writer.close()


async def test_a_download_is_taken_no_faster_than_the_client_takes_it(servers: RawServers, opened: Any) -> None:
    sent = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % BIG)
        while sent < BIG:
            writer.write(PIECE)
            await writer.drain()
            sent += len(PIECE)
        await reader.read()

    async with opened(await servers.start(handler), seconds=None) as door:
        reader, writer = await door.connect()
        writer.write(b"GET /v1/things HTTP/1.1\r\nhost: x\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        last = -1
        while last != sent:
            last = sent
            await asyncio.sleep(0.1)
        assert sent < BIG
        assert len(await reader.readexactly(BIG)) == BIG
        writer.close()


async def test_a_body_in_chunks_goes_on_in_chunks(servers: RawServers, opened: Any) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert b"transfer-encoding: chunked\r\n" in await reader.readuntil(b"\r\n\r\n")
        body = await reader.readuntil(b"0\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))

    async with opened(await servers.start(handler), seconds=None) as door:
        reader, writer = await door.connect()
        writer.write(b"POST /v1/things HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")
        await asyncio.sleep(0.05)
        writer.write(b"3\r\ntwo\r\n0\r\n\r\n")
        _, _, body = await door.read(reader)
        assert re.sub(rb"[\r\n\d]", b"", body) == b"onetwo"
        writer.close()


async def test_an_early_answer_to_an_upload_arrives(servers: RawServers, opened: Any) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig")
        await silent(reader, writer)

    async with opened(await servers.start(handler)) as door:
        reader, writer = await door.connect()
        writer.write(b"POST /v1/things HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\nstart")
        async with asyncio.timeout(10):
            status, _, body = await door.read(reader)
        assert (status, body) == (413, b"big")
        writer.close()
        await door.settled()
        assert door.pool.open == 0


async def test_a_stream_lasts_as_long_as_bytes_move_and_no_longer(servers: RawServers, opened: Any) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in (b"0123456789", b"x"):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n")
            for _ in range(10):
                await asyncio.sleep(0.05)
                writer.write(piece)
        await reader.read()

    async with opened(await servers.start(handler), seconds=None, patience=0.4) as door:
        assert len((await door.ask(b"GET /v1/things HTTP/1.1\n"))[2]) == 100
        with pytest.raises(asyncio.IncompleteReadError):
            await door.ask(b"GET /v1/things HTTP/1.1\n")
        await door.settled()

"""Clients that go away, or dawdle."""

import asyncio
import random
from typing import Any

import pytest

from gateway.flights import ClientGone
from gateway.forward import BrokenResponse
from shared.errors import RequestTimedOut
from shared.testing.raw import OK, RawServers, replying, silent, until

BIG = 256 * 1024 * 1024
PIECE = b"x" * 65_536


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart"])
async def test_a_client_that_disconnects_ends_the_request_at_the_service(servers: RawServers, answer: bytes, opened: Any) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await reader.read()
        gone.set()

    gone = asyncio.Event()
    async with opened(await servers.start(handler)) as door:
        _, writer = await door.connect()
        writer.write(b"GET /v1/things HTTP/1.1\r\nhost: x\r\n\r\n")
        await until(lambda: servers.connections == 1)
        writer.close()
        async with asyncio.timeout(10):
            await gone.wait()
        await door.settled()
        assert [type(seen) for seen in door.seen] == [ClientGone]
        assert door.pool.open == 0


async def test_a_client_that_disconnects_in_its_upload(servers: RawServers, opened: Any) -> None:
    async with opened(await servers.start(silent), seconds=None) as door:
        _, writer = await door.connect()
        writer.write(b"POST /v1/things HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\npart")
        await until(lambda: servers.connections == 1)
        writer.close()
        await until(lambda: len(door.seen) == 1)
        assert isinstance(door.seen[0], ClientGone)
        await door.settled()
        assert door.pool.open == 0


@pytest.mark.parametrize("framing", [b"content-length: 65536", b"transfer-encoding: chunked"])
async def test_who_sends_a_body_slowly_holds_no_place_at_a_service(servers: RawServers, opened: Any, framing: bytes) -> None:
    async with opened(await servers.start(replying(OK)), size=1) as door:
        clients = [await door.connect() for _ in range(20)]
        for _, writer in clients:
            writer.write(b"POST /v1/things HTTP/1.1\r\nhost: x\r\n%b\r\n\r\n1\r\n" % framing)
        await until(lambda: len(door.forwarder.flights) == 20)
        assert (await door.ask(b"GET /v1/things HTTP/1.1\n"))[0] == 200
        assert servers.connections == 1
        for _, writer in clients:
            writer.close()
        await door.settled()


async def test_a_body_that_comes_too_slowly_is_408(servers: RawServers, opened: Any) -> None:
    async with opened(await servers.start(silent), seconds=0.2) as door:
        for body in (b"", b"part"):
            reader, writer = await door.connect()
            writer.write(b"POST /v1/things HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n" + body)
            assert (await door.read(reader))[0] == 408
            writer.close()
        await door.settled()


async def test_a_client_that_neither_sends_nor_reads_is_let_go(servers: RawServers, opened: Any) -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if b"GET" in await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % BIG)
            while True:
                writer.write(PIECE)
                await writer.drain()
        await reader.read()

    async with opened(await servers.start(endless), seconds=None, patience=0.2) as door:
        writers = []
        for request in (
            b"GET /v1/things HTTP/1.1\r\nhost: x\r\n\r\n",
            b"POST /v1/things HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\npart",
        ):
            _, writer = await door.connect()
            writer.transport.pause_reading()
            writer.write(request)
            writers.append(writer)
        await until(lambda: len(door.seen) == 2)
        assert {type(seen) for seen in door.seen} == {ClientGone, RequestTimedOut}
        await door.settled()
        for writer in writers:
            writer.transport.abort()


async def test_clients_that_come_and_go_leave_nothing_behind(servers: RawServers, opened: Any) -> None:
    chance = random.Random(5)

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(chance.random() * 0.06)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf")
            await asyncio.sleep(chance.random() * 0.02)
            writer.write(b"half")

    async with opened(await servers.start(slow), size=20) as door:
        before = len(asyncio.all_tasks())

        async def client() -> None:
            for _ in range(10):
                _, writer = await door.connect()
                writer.write(b"GET /v1/things HTTP/1.1\r\nhost: x\r\n\r\n")
                await asyncio.sleep(chance.random() * 0.08)
                writer.close()

        await asyncio.gather(*(client() for _ in range(50)))
        await until(lambda: len(door.seen) == 500)
        await door.settled()
        assert {type(seen) for seen in door.seen} <= {int, ClientGone, BrokenResponse}
        await until(lambda: len(asyncio.all_tasks()) - len(servers.tasks) <= before)
        assert (await door.ask(b"GET /v1/things HTTP/1.1\n"))[2] == b"halfhalf"

"""A real server in front of a forwarder, raw servers behind it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.flights import ClientGone
from gateway.forward import BrokenResponse, Forwarder
from gateway.resilience import Calls
from shared.errors import Problem
from shared.identity import Caller
from shared.pool import Pool
from shared.testing.raw import RawServers, until
from shared.testing.serving import serving

CALLER = Caller("account:1", "ada", "viewer", "gateway")


class Door:
    """The smallest edge: a server in front of a forwarder, and what it saw."""

    def __init__(self, pool: Pool, url: str, forwarder: Forwarder, seen: list[Any]) -> None:
        self.pool = pool
        self.host, self.port = url.removeprefix("http://").split(":")
        self.forwarder = forwarder
        self.seen = seen

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self.host, int(self.port))

    async def ask(self, head: bytes, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
        """Status, fields and body of the answer to one request on a connection of its own."""
        reader, writer = await self.connect()
        writer.write(head.replace(b"\n", b"\r\n") + b"host: roster\r\nconnection: close\r\n\r\n" + body)
        try:
            return await self.read(reader, head=head.startswith(b"HEAD"))
        finally:
            writer.close()

    async def read(self, reader: asyncio.StreamReader, *, head: bool = False) -> tuple[int, dict[str, str], bytes]:
        """One whole answer; IncompleteReadError if it is cut off."""
        status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()[:-1]
        while status.startswith("HTTP/1.1 100"):
            status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()[:-1]
        fields = dict(line.split(": ", 1) for line in lines)
        body = b""
        if not head and fields.get("transfer-encoding") == "chunked":
            while size := int(await reader.readuntil(b"\r\n"), 16):
                body += (await reader.readexactly(size + 2))[:-2]
            assert await reader.readline() == b"\r\n"
        elif not head:
            body = await reader.readexactly(int(fields.get("content-length", 0)))
        return int(status.split()[1]), fields, body

    async def settled(self) -> None:
        """Nothing is under way any more."""
        await until(lambda: len(self.forwarder.flights) == 0 and self.pool.open == self.pool.idle)


@pytest.fixture
async def servers(tmp_path: Path) -> AsyncIterator[RawServers]:
    made = RawServers(tmp_path)
    yield made
    await made.stop()


@asynccontextmanager
async def open_door(origin: str, *, seconds: float | None = 20.0, patience: float = 20.0, **settings: Any) -> AsyncIterator[Door]:
    pool = Pool(origin, **{"connect_timeout": 5.0, "wait_timeout": 5.0} | settings)
    forwarder = Forwarder(Calls(pool, pool, requests=1_000), "things", lambda caller: f"assertion-of-{caller.name}", patience=patience)
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        deadline = None if seconds is None else asyncio.get_running_loop().time() + seconds
        try:
            status = await forwarder(
                scope,
                receive,
                send,
                caller=CALLER,
                request_id="r-1",
                traceparent="00-t",
                deadline=deadline,
                extra=[(b"x-request-id", b"r-1")],
            )
            seen.append(status)
        except Problem as problem:
            seen.append(problem)
            headers = [(name.lower().encode(), value.encode()) for name, value in problem.headers.items()]
            await send({"type": "http.response.start", "status": problem.status, "headers": [*headers, (b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})
        except (BrokenResponse, ClientGone) as error:
            seen.append(error)

    try:
        async with serving(app, lifespan=False) as url:
            yield Door(pool, url, forwarder, seen)
    finally:
        await pool.aclose()


@pytest.fixture
def opened() -> Any:
    """Opens a door to a service: `async with opened(origin, ...) as door`."""
    return open_door

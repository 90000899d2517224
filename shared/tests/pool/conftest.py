"""Raw servers for the pool to meet, and both event loops that it runs on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

import pytest
import uvloop

from shared.pool import Pool

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Each test runs on asyncio's loop and on uvloop."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


class RawServers:
    """Servers of one test. Each connection is handled by `handler`, whose disconnections are nobody's business."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.connections = 0

    async def start(self, handler: Handler, *, unix: bool = False) -> str:
        """The origin of a new server."""

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            self.connections += 1
            try:
                await handler(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                pass
            finally:
                self._tasks.discard(task)
                writer.transport.abort()

        if unix:
            path = self._folder / f"{len(self._servers)}.sock"
            self._servers.append(await asyncio.start_unix_server(handle, path))
            return f"unix://{path}"
        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        self._servers.append(server)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def answer(self, *answers: bytes, close: bool = False) -> str:
        """A server that gives these bytes to the first, second ... request of every connection (the last again and again)."""

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            left = list(answers)
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(left.pop(0) if len(left) > 1 else left[0])
                await writer.drain()
                if close:
                    writer.close()
                    await writer.wait_closed()

        return await self.start(handler)

    async def stop(self) -> None:
        """Close everything."""
        for server in self._servers:
            server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@pytest.fixture
async def servers(tmp_path: Path) -> AsyncIterator[RawServers]:
    """Servers that end with the test."""
    made = RawServers(tmp_path)
    yield made
    await made.stop()


@pytest.fixture
async def pools() -> AsyncIterator[Callable[..., Pool]]:
    """Makes pools that are closed with the test."""
    made: list[Pool] = []

    def make(origin: str, **settings: object) -> Pool:
        pool = Pool(origin, **{"wait_timeout": 5.0, "connect_timeout": 5.0} | settings)  # type: ignore[arg-type]  # a test's own settings
        made.append(pool)
        return pool

    yield make
    for pool in made:
        await pool.aclose()
        assert (pool.open, pool.idle, pool.waiting) == (0, 0, 0)

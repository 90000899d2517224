"""Raw servers, for what no real server would do: each connection is a few lines of a test."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
EMPTY = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


async def until(condition: Callable[[], bool]) -> None:
    """Wait until it holds; TimeoutError if it does not within 10 s."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # what is watched has no event
            await asyncio.sleep(0.001)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    """The data in pieces of these sizes, again and again."""
    pieces = []
    start = turn = 0
    while start < len(data):
        size = sizes[turn % len(sizes)]
        pieces.append(data[start : start + size])
        start, turn = start + size, turn + 1
    return pieces


class RawServers:
    """Servers of one test. Each connection is handled by `handler`, whose disconnections are nobody's business."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._servers: list[asyncio.Server] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.connections = 0

    async def start(self, handler: Handler, *, unix: bool = False) -> str:
        """The origin of a new server."""

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self.tasks.add(task)
            self.connections += 1
            try:
                await handler(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                pass
            finally:
                self.tasks.discard(task)
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
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


def replying(*answers: bytes, heads: list[bytes] | None = None) -> Handler:
    """Gives one answer after the other, again and again; bodies of a known length are read, and heads kept in `heads`."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            for answer in answers:
                head = await reader.readuntil(b"\r\n\r\n")
                if heads is not None:
                    heads.append(head)
                length = re.search(rb"content-length: (\d+)", head)
                if length is not None:
                    await reader.readexactly(int(length.group(1)))
                writer.write(answer)

    return handler


class Scripted:
    """A handler that gives the next of its answers to each request, whichever its connection, and then OK; None cuts the connection."""

    def __init__(self, *answers: bytes | None) -> None:
        self.answers = list(answers)
        self.heads: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head)
            length = re.search(rb"content-length: (\d+)", head)
            if length is not None:
                await reader.readexactly(int(length.group(1)))
            answer = self.answers.pop(0) if self.answers else EMPTY if head.startswith(b"HEAD") else OK
            if answer is None:
                return
            writer.write(answer)


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reads, and answers nothing."""
    while await reader.read(65_536):
        pass

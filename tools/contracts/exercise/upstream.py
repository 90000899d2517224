"""A service that misbehaves as it is told: what the gateway makes of it, whatever is asked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import msgspec

from shared.errors import problem_of_status

RUBBISH: Final = b"no HTTP at all\r\n\r\n"


@dataclass
class Misbehaving:
    """`mood` is the status that it answers everything with, 502 for rubbish, 504 for nothing at all."""

    mood: int = 500
    url: str = ""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """It listens on a free port for the length of the block, and nobody does after it."""
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        self.url = f"http://{host}:{port}"
        async with server:
            yield

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            if "transfer-encoding: chunked" in head:
                await reader.readuntil(b"0\r\n\r\n")
            elif "content-length: " in head:
                await reader.readexactly(int(head.partition("content-length: ")[2].split("\r\n")[0]))
            if self.mood == 504:
                await reader.read()
            else:
                writer.write(RUBBISH if self.mood == 502 else _problem(self.mood, head.split()[1].partition("?")[0]))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def _problem(status: int, path: str) -> bytes:
    """A whole answer with a problem document, as a service gives it."""
    document = problem_of_status(status, "It was told to refuse.").document("0" * 32, path)
    body = msgspec.json.encode(document)
    head = (
        f"HTTP/1.1 {status} {document['title']}\r\ncontent-type: application/problem+json\r\nvary: Accept\r\ncache-control: no-store\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body

"""A request body that is read only as fast as its reader wants it."""

import asyncio
from collections.abc import AsyncIterator, Generator
from typing import Any

from shared.errors import TooLarge


class Disconnected(asyncio.CancelledError):
    """The caller went away while its body was being read."""


async def until_disconnected(receive: Any) -> bool:
    """Throw away what is left of a request until its caller has disconnected.

    False for a server that does not wait but says over and over that the request is whole: asked on, it would let nothing else run.
    """
    whole = False
    while (message := await receive())["type"] != "http.disconnect":
        if whole:
            return False
        whole = not message.get("more_body", False)
    return True


class PulledBody:
    """A request's body: `await` it for the whole (TooLarge above the cap), or iterate over it without one.

    A message is taken from the server only when more is wanted, so what waits in memory is what the server buffers.
    """

    def __init__(self, expected: int | None, cap: int | None) -> None:
        self._receive: Any = None
        self._expected = expected
        self._cap = cap
        self._whole: bytes | None = None
        self.complete = True

    def attach(self, receive: Any) -> None:
        self._receive = receive
        self.complete = False

    def set_result(self, data: bytes) -> None:
        """For tests that make a request context by hand."""
        self._whole = data

    def append(self, data: bytes) -> None:
        self._whole = (self._whole or b"") + data

    def set_complete(self) -> None:
        self.complete = True

    def clear(self) -> None:
        self._whole = None

    def discard(self) -> None:
        """Nobody will read it: whoever watches for a disconnect may throw it away."""
        self.complete = True

    def __await__(self) -> Generator[Any, None, bytes]:
        return self._read_all().__await__()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._chunks()

    async def _chunks(self) -> AsyncIterator[bytes]:
        if self._whole is not None:
            yield self._whole
            return
        while not self.complete:
            if chunk := await self._next():
                yield chunk

    async def _read_all(self) -> bytes:
        if self._whole is None:
            if self._cap is not None and (self._expected or 0) > self._cap:
                raise TooLarge(f"the body has more than {self._cap} bytes")
            chunks: list[bytes] = []
            size = 0
            while not self.complete:
                chunks.append(chunk := await self._next())
                size += len(chunk)
                if self._cap is not None and size > self._cap:
                    raise TooLarge(f"the body has more than {self._cap} bytes")
            self._whole = b"".join(chunks)
        return self._whole

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self.complete = True
            raise Disconnected
        self.complete = not message.get("more_body", False)
        return bytes(message.get("body", b""))

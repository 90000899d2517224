"""One response as its reader sees it: status and headers at once, the body as it comes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from shared.pool.errors import Abandoned, PoolError, ProtocolViolation

if TYPE_CHECKING:
    from shared.pool.connection import Connection


class Response:
    """`status`, `headers` (names in lower case, in the order they came) and the body, read with `take`, `receive`, `read` or `async for`.

    The connection goes back to the pool as soon as the last byte has arrived, read or not. A response that is not read to its
    end must be closed, which closes its connection: `aclose`, or `async with`. One task reads a response.
    """

    __slots__ = ("_connection", "_error", "_loop", "_on_end", "_pieces", "_waiter", "ended", "headers", "status")

    def __init__(self, connection: "Connection", loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._connection: Connection | None = connection
        self._error: PoolError | None = None
        self._pieces: list[bytes] = []
        self._waiter: asyncio.Future[None] | None = None
        self._on_end: Callable[[PoolError | None], None] | None = None
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.ended = False

    @property
    def failed(self) -> bool:
        """Whether the body broke off: the next `receive` after what `take` gives raises."""
        return self._error is not None

    def when_ended(self, callback: Callable[[PoolError | None], None]) -> None:
        """Call back once, when the last byte has arrived (None), the body has broken off, or it was closed before (Abandoned)."""
        if self.ended or self._error is not None:
            callback(self._error)
        else:
            self._on_end = callback

    def take(self) -> bytes:
        """The part of the body that has arrived and was not taken yet, b"" if none. With `ended`, it is the last."""
        pieces = self._pieces
        if not pieces:
            return b""
        self._pieces = []
        if self._connection is not None:
            self._connection.resume()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def receive(self) -> bytes:
        """The next part of the body, b"" at its end. Raises PoolError when it breaks off, after all that came before."""
        await self.some()
        return self.take()

    async def some(self) -> None:
        """Return when there is a part to take, or the body has ended. Raises PoolError when it breaks off before."""
        while not (self._pieces or self.ended):
            if self._error is not None:
                raise self._error
            await self.change()

    async def read(self, limit: int | None = None) -> bytes:
        """The whole body. Longer than `limit` bytes: ProtocolViolation, and the connection is closed."""
        parts: list[bytes] = []
        size = 0
        while part := await self.receive():
            parts.append(part)
            size += len(part)
            if limit is not None and size > limit:
                self.close()
                raise ProtocolViolation(f"a body of more than {limit} bytes")
        return b"".join(parts)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while part := await self.receive():
            yield part

    def close(self) -> None:
        """Done with it: a connection that still carries it is closed. Closing twice is nothing."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abandon(self)
            self._tell(Abandoned("the response was closed"))

    async def aclose(self) -> None:
        """As `close`."""
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # What the connection calls.

    async def begun(self) -> None:
        """Return when the head is here; raise PoolError if there will be none. Cancelling closes the connection."""
        try:
            while not self.status:
                if self._error is not None:
                    raise self._error
                self._waiter = waiter = self._loop.create_future()
                await waiter
        except BaseException:
            self.close()
            raise

    async def change(self) -> None:
        """Return when something has changed. Cancelling closes the connection."""
        self._waiter = waiter = self._loop.create_future()
        try:
            await waiter
        except BaseException:
            self.close()
            raise

    def wake(self) -> None:
        """Let the reader look again."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def push(self, pieces: list[bytes]) -> None:
        """Add what has arrived."""
        if self._pieces:
            self._pieces += pieces
        else:
            self._pieces = pieces

    @property
    def waiting(self) -> int:
        """Bytes that have arrived and were not taken yet."""
        return sum(map(len, self._pieces))

    def finish(self) -> None:
        """All has arrived, and the connection is not ours any more."""
        self.ended = True
        self._connection = None
        self._tell(None)

    def fail(self, error: PoolError) -> None:
        """Nothing more will come."""
        if self._error is None and not self.ended:
            self._error = error
            self._tell(error)
        self._connection = None
        self.wake()

    def _tell(self, error: PoolError | None) -> None:
        callback, self._on_end = self._on_end, None
        if callback is not None:
            callback(error)

"""What the callbacks of one turn of the event loop want to send is written when they have run, all together.

uvloop writes at once. A write to a process that sleeps has the kernel wake it, which takes several times as long as the write; after that
it runs on the caller's caches, and has gone to sleep again when the next write comes. Written together, the first one wakes it, and it
finds the others there when it looks.
"""

import asyncio
from typing import Any, Final
from weakref import WeakKeyDictionary

MOST: Final = 16 * 1024
"""Bytes of one connection that wait: what is longer is written at once, so that a connection notices when its other
side takes no more."""


class Outbox:
    """The connections of one event loop that have something to send."""

    def __init__(self) -> None:
        self._waiting: list[Gathered] = []

    def add(self, transport: "Gathered") -> None:
        """Call its `flush` before anything that is called soon from now on; the loop may look at its sockets once before."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._flush)
        self._waiting.append(transport)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for transport in waiting:
            try:
                transport.flush()
            except Exception as error:  # one that can't be written to keeps no other from it
                transport.abort()
                told = {"message": "a write that waited has failed", "exception": error}
                asyncio.get_running_loop().call_exception_handler(told)


_outboxes: WeakKeyDictionary[asyncio.AbstractEventLoop, Outbox] = WeakKeyDictionary()


class Gathered(asyncio.Transport):
    """A transport whose short writes wait for the others of their turn. They keep their order with whatever is done to it here; where the
    loop itself closes the connection, because the other side has ended, what waits is lost unless `eof_received` flushes it.
    """

    __slots__ = ("_outbox", "_pending", "_transport", "flushed", "is_closing")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._pending = b""
        self.flushed = 0
        """How often something was written below."""
        self.is_closing = transport.is_closing  # type: ignore[method-assign]  # asked six times a request
        self._outbox = _outboxes.setdefault(loop, Outbox())

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send this with what others send."""
        if type(data) is not bytes:
            data = bytes(data)
        if self._pending:
            self._pending += data
        elif data:
            self._pending = data
            self._outbox.add(self)
        if len(self._pending) > MOST:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        pending, self._pending = self._pending, b""
        if pending and not self.is_closing():
            self.flushed += 1
            self._transport.write(pending)

    def close(self) -> None:
        """Close when what was written is sent."""
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        """Close at once; what waits is lost."""
        self._pending = b""
        self._transport.abort()

    def can_write_eof(self) -> bool:
        return self._transport.can_write_eof()

    def write_eof(self) -> None:
        """End this side behind what was written."""
        self.flush()
        self._transport.write_eof()

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

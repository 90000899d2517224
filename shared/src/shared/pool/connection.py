"""One kept connection: writes a request, reads its response, and notices at once when the other side closes.

One timer serves all: it is never moved for a request, only looks, when it fires, how much time is really left.
"""

import asyncio
from collections.abc import AsyncIterable
from typing import TYPE_CHECKING, cast

from shared.gathering import Gathered
from shared.pool.errors import ConnectionLost, PoolError, ProtocolViolation, ReadTimeout
from shared.pool.reader import ResponseReader
from shared.pool.response import Response

if TYPE_CHECKING:
    from shared.pool.pool import Pool

HIGH_WATER = 64 * 1024
_NEVER = float("inf")


class Connection(asyncio.Protocol):
    """Counted by its pool from the moment it is made until `close`, which it calls back exactly once."""

    __slots__ = (
        "_deadline",
        "_drained",
        "_due",
        "_flushed",
        "_idle",
        "_loop",
        "_moved",
        "_paused",
        "_pool",
        "_reader",
        "_response",
        "_sending",
        "_timer",
        "_timer_at",
        "_transport",
        "_used",
        "_wrote",
        "closed",
        "lost",
    )

    def __init__(self, pool: "Pool", loop: asyncio.AbstractEventLoop, max_head: int) -> None:
        self._pool = pool
        self._loop = loop
        self._reader = ResponseReader(max_head)
        self._transport: Gathered | None = None
        self._response: Response | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = self._deadline = _NEVER
        self._idle: float | None = None
        self._moved = 0.0
        self._flushed = 0  # as often the transport had written when the request began
        self._drained: asyncio.Future[None] | None = None
        self._paused = self._sending = self._used = self._wrote = self.closed = self.lost = False

    # What the pool calls.

    def start(self, method: bytes, data: bytes, deadline: float | None, idle: float | None, more: bool) -> Response:
        """Write the head (and all of a short body); `more` says that a streamed body follows with `send`."""
        transport = self._transport
        if transport is None or transport.is_closing():
            error = self._lost("the connection was closed before the request was written")
            self.close(error)
            raise error
        self._response = response = Response(self, self._loop)
        self._reader.begin(method)
        self._sending = more
        self._deadline = _NEVER if deadline is None else deadline
        self._idle = idle
        if idle is not None:
            self._moved = self._loop.time()
            self._watch()
        elif self._deadline < self._timer_at:
            self._watch()
        self._wrote = True
        self._flushed = transport.flushed
        transport.write(data)
        return response

    async def send(self, body: AsyncIterable[bytes], length: int | None) -> None:
        """Write a streamed body, no faster than the other side takes it. Stops in silence once a response has begun."""
        left = length
        async for piece in body:
            if self._reader.head_done or self.closed:
                return
            if not piece:
                continue
            if left is None:
                self._write(b"%x\r\n%b\r\n" % (len(piece), piece))
            else:
                left -= len(piece)
                if left < 0:
                    raise ValueError("the body is longer than the announced length")
                self._write(piece)
            if self._drained is not None:
                await self._drained
        if left:
            raise ValueError("the body is shorter than the announced length")
        if left is None:
            self._write(b"0\r\n\r\n")
        self._sending = False

    def rest(self, until: float) -> None:
        """Nothing under way: close at this time of the loop unless a request comes first."""
        self._deadline = until
        self._idle = None
        if until < self._timer_at:
            self._watch()

    def resume(self) -> None:
        """The reader has taken what had arrived."""
        if self._paused and self._transport is not None:
            self._paused = False
            self._moved = self._loop.time()
            self._transport.resume_reading()

    def abandon(self, response: Response) -> None:
        """The reader of this response has gone."""
        if self._response is response:
            self._response = None
            self.close(PoolError("the response was closed"))

    def close(self, error: PoolError) -> None:
        """Cut the connection; a request under way ends with this error. Closing twice is nothing."""
        if self.closed:
            return
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.abort()
        self.resume_writing()
        response, self._response = self._response, None
        if response is not None:
            response.fail(error)
        self._pool.forget(self)

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, unless nobody waits for it any more."""
        self._transport = Gathered(cast("asyncio.Transport", transport), self._loop)  # uvloop's do not derive from asyncio's
        if self.closed:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Read on; bytes that no request asked for end the connection."""
        response = self._response
        if response is None:
            self.close(ProtocolViolation("bytes on an idle connection"))
            return
        if self._transport is not None and not self._sent():
            if self._used:
                self.close(self._lost("bytes came before the request was written"))
                return
            self._transport.flush()  # to a server that answers whoever comes
        reader = self._reader
        try:
            reader.feed(data)
        except ProtocolViolation as error:
            self.close(error)
            return
        if self._idle is not None:
            self._moved = self._loop.time()
        self._deliver(response, reader)

    def eof_received(self) -> None:
        """The other side sends nothing more: the end of the response if nothing else ends it. The loop then closes."""
        response = self._response
        if response is not None:
            self._reader.end()
            if self._reader.done:
                self._deliver(response, self._reader)
        self.close(self._lost("the connection was closed before the response ended"))

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        error = self._lost("the connection was lost before the response ended")
        error.__cause__ = exc
        self.close(error)
        self.lost = True
        self._pool.gone(self)

    def pause_writing(self) -> None:
        """The other side takes no more for now."""
        if self._drained is None:
            self._drained = self._loop.create_future()
            self._moved = self._loop.time()

    def resume_writing(self) -> None:
        """The other side takes more again, or never will."""
        drained, self._drained = self._drained, None
        self._moved = self._loop.time()
        if drained is not None and not drained.done():
            drained.set_result(None)

    # Within.

    def _deliver(self, response: Response, reader: ResponseReader) -> None:
        if not reader.head_done:
            return
        if reader.pieces:
            response.push(reader.take())
        if not response.status:
            response.status = reader.status
            response.headers = reader.headers
        if reader.done:
            self._complete(response, reader)
        elif not self._paused and self._transport is not None and response.waiting > HIGH_WATER:
            self._paused = True
            self._transport.pause_reading()
        response.wake()

    def _complete(self, response: Response, reader: ResponseReader) -> None:
        response.finish()
        self._response = None
        self._used = True
        if self._paused:
            self.resume()
        if self._sending or self._drained is not None or not reader.keep_alive:
            self.close(PoolError("not kept"))
        else:
            self._wrote = False
            self._pool.release(self)

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self.closed:
            self._transport.write(data)

    def _lost(self, message: str) -> ConnectionLost:
        return ConnectionLost(message, sent=self._sent(), reused=self._used, received=self._wrote and self._reader.received)

    def _sent(self) -> bool:
        """Whether any of the request under way has left us."""
        return self._wrote and self._transport is not None and self._transport.flushed != self._flushed

    def _watch(self) -> None:
        """See to it that the timer fires in time for the deadline or the idle timeout."""
        due = self._deadline
        if self._idle is not None:
            due = min(due, self._moved + self._idle)
        if due < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = due
            self._timer = self._loop.call_at(due, self._tick)

    def _tick(self) -> None:
        self._timer, self._timer_at = None, _NEVER
        now = self._loop.time()
        if now >= self._deadline:
            self.close(ReadTimeout("the time for the request is up", sent=self._sent(), theirs=self._sent() and self._waits()))
        elif self._idle is not None and now >= self._moved + self._idle and self._waits():
            self.close(ReadTimeout("the other side moved no byte for too long", sent=self._sent(), theirs=True))
        else:
            if self._idle is not None and not self._waits():
                self._moved = now
            self._watch()

    def _waits(self) -> bool:
        """Whether it is the other side's turn: it is not while our reader or our body is slow."""
        return not self._paused and (self._drained is not None or not self._sending)

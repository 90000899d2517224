"""Kept connections to one origin: bounded, first come first served, and never more than one request on each."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from types import NoneType

from shared.pool.connection import Connection
from shared.pool.encode import Body, Headers, encode_head
from shared.pool.errors import ConnectFailed, ConnectTimeout, PoolClosed, PoolError, PoolTimeout, ReadTimeout
from shared.pool.origin import Origin
from shared.pool.response import Response
from shared.pool.sending import exchange

SERVER_KEEP_ALIVE = 75
"""Seconds that our servers keep an unused connection."""
KEEP_SHARE = 0.8
"""How much of that a client may: a server that lets go first does so under a request (17 of 720 failed with equal times, none at 0.8)."""

LOOK = 0.01
"""Seconds from the end of the time for a connection to saying so. The loop itself may have stood still until then, with the connection long
made, and takes some turns to find it."""


class Pool:
    """Speaks HTTP/1.1 to `http://host:port` or `unix:///path`, and to nothing else; opens nothing before the first request.

    size              connections at most, busy and idle together
    connect_timeout   seconds for one connection to be made
    wait_timeout      seconds that a request waits for a free connection
    idle              seconds that a connection is kept unused; ValueError unless well below the server's own limit
    max_head          bytes of a response's header section
    authority         what the Host header says (default: the host and port, or `localhost` on a unix socket)

    One event loop uses a pool. It follows no redirects, reads no environment, and tries nothing twice.
    """

    def __init__(
        self,
        origin: str,
        *,
        size: int = 80,
        connect_timeout: float = 0.25,
        wait_timeout: float = 0.05,
        idle: float = 30.0,
        max_head: int = 32 * 1024,
        authority: str | None = None,
    ) -> None:
        if idle > KEEP_SHARE * SERVER_KEEP_ALIVE:
            raise ValueError(f"a connection must not be kept for {idle} s: the server lets go of it after {SERVER_KEEP_ALIVE}")
        self.origin = Origin.parse(origin, authority)
        self.base_url = self.origin.url
        self.size = size
        self.connect_timeout = connect_timeout
        self.wait_timeout = wait_timeout
        self._keep = idle
        self._max_head = max_head
        self._host = b"host: %b" % self.origin.authority.encode("ascii")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._taken = 0
        self._idle: list[Connection] = []
        self._waiters: deque[asyncio.Future[Connection | None]] = deque()
        self._placed: set[Connection] = set()
        self._open_sockets: set[Connection] = set()
        self._all_gone: asyncio.Future[None] | None = None
        self._closed = False

    @property
    def open(self) -> int:
        """Connections that are busy, idle or being made."""
        return self._taken

    @property
    def idle(self) -> int:
        """Connections that wait for a request."""
        return len(self._idle)

    @property
    def waiting(self) -> int:
        """Requests that wait for a connection."""
        return sum(not waiter.done() for waiter in self._waiters)

    async def request(
        self,
        method: bytes,
        target: bytes,
        headers: Headers = (),
        body: Body = None,
        *,
        length: int | None = None,
        deadline: float | None = None,
        idle: float | None = None,
        connect_timeout: float | None = None,
        wait_timeout: float | None = None,
        fresh: bool = False,
    ) -> Response:
        """Send one request; return when the head of its response is here.

        length     of a streamed body in bytes; without it the body is sent in chunks
        deadline   a time of the event loop (`loop.time()`) by which the last byte of the response must be here
        idle       seconds in which at least one byte must move whenever it is the other side's turn
        fresh      on a connection that carried nothing before

        Raises PoolError, and ValueError for what must not be sent. Cancelling closes the connection.
        """
        data = encode_head(method, target, self._host, headers, body, length)
        if self._idle and not fresh:
            connection = self._idle.pop()
        else:
            connection = await self._acquire(fresh, deadline, connect_timeout, wait_timeout)
        response = connection.start(method, data, deadline, idle, not isinstance(body, (bytes, NoneType)))
        if body is None or isinstance(body, bytes):
            await response.begun()
        else:
            await exchange(connection, response, body, length)
        return response

    async def aclose(self) -> None:
        """Close all connections, busy ones too, and return when the sockets are closed. Later requests raise PoolClosed."""
        self._closed = True
        while (waiter := self._next_waiter()) is not None:
            waiter.set_exception(PoolClosed("the pool was closed"))
        for connection in list(self._placed):
            connection.close(PoolClosed("the pool was closed"))
        while self._open_sockets:
            self._all_gone = asyncio.get_running_loop().create_future()
            await self._all_gone

    # What connections call.

    def release(self, connection: Connection) -> None:
        """The connection has done its request and may take another."""
        waiter = self._next_waiter()
        if waiter is not None:
            self._placed.remove(connection)
            waiter.set_result(connection)
        elif self._closed or self._loop is None:
            connection.close(PoolClosed("the pool was closed"))
        else:
            self._idle.append(connection)
            connection.rest(self._loop.time() + self._keep)

    def forget(self, connection: Connection) -> None:
        """The connection is closed: its place is free."""
        with suppress(ValueError):
            self._idle.remove(connection)
        if connection in self._placed:
            self._placed.remove(connection)
            self._free()

    def gone(self, connection: Connection) -> None:
        """The connection's socket is closed."""
        self._open_sockets.discard(connection)
        if not self._open_sockets and self._all_gone is not None and not self._all_gone.done():
            self._all_gone.set_result(None)

    # Within. `_taken` counts places. Each belongs to a connection in `_placed`, or to a waiter that was given it and has not woken yet.

    async def _acquire(self, fresh: bool, deadline: float | None, connect_timeout: float | None, wait_timeout: float | None) -> Connection:
        self._loop = loop = asyncio.get_running_loop()
        if self._closed:
            raise PoolClosed("the pool is closed")
        if fresh and self._idle and self._taken >= self.size:
            self._idle[0].close(PoolError("replaced"))
        if self._taken < self.size:
            self._taken += 1
        else:
            waited = await self._wait(loop, deadline, self.wait_timeout if wait_timeout is None else wait_timeout)
            if waited is not None:
                if not (fresh or waited.closed):
                    self._placed.add(waited)
                    return waited
                waited.close(PoolError("replaced"))
        return await self._connect(loop, deadline, self.connect_timeout if connect_timeout is None else connect_timeout)

    async def _wait(self, loop: asyncio.AbstractEventLoop, deadline: float | None, patience: float) -> Connection | None:
        """Wait for a place: with a connection that has just come free, or None for one to be made."""
        waiter: asyncio.Future[Connection | None] = loop.create_future()
        self._waiters.append(waiter)
        at = loop.time() + patience
        timer = loop.call_at(at if deadline is None else min(at, deadline), _expire, waiter, at, deadline)
        try:
            return await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._give_back(waiter.result())
            with suppress(ValueError):
                self._waiters.remove(waiter)
            raise
        finally:
            timer.cancel()

    async def _connect(self, loop: asyncio.AbstractEventLoop, deadline: float | None, patience: float) -> Connection:
        """Make a connection in a place that is already ours."""
        connection = Connection(self, loop, self._max_head)
        self._placed.add(connection)
        at = loop.time() + patience
        try:
            if self._closed:
                raise PoolClosed("the pool was closed")
            async with _limit(loop, at if deadline is None else min(at, deadline)):
                if self.origin.path is not None:
                    await loop.create_unix_connection(lambda: connection, self.origin.path)
                else:
                    await loop.create_connection(lambda: connection, self.origin.host, self.origin.port)
        except BaseException as error:
            connection.close(PoolError("not connected"))
            if isinstance(error, TimeoutError):
                raise _sooner(at, deadline, ConnectTimeout(f"no connection to {self.origin.authority} in time")) from error
            if isinstance(error, OSError):
                raise ConnectFailed(f"no connection to {self.origin.authority}: {error}") from error
            raise
        if not connection.lost:
            self._open_sockets.add(connection)
        return connection

    def _give_back(self, connection: Connection | None) -> None:
        """A place that came too late: the one who waited for it has gone."""
        if connection is None or connection.closed:
            self._free()
        else:
            self._placed.add(connection)
            self.release(connection)

    def _free(self) -> None:
        waiter = self._next_waiter()
        if waiter is not None:
            waiter.set_result(None)
        else:
            self._taken -= 1

    def _next_waiter(self) -> asyncio.Future[Connection | None] | None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                return waiter
        return None


@asynccontextmanager
async def _limit(loop: asyncio.AbstractEventLoop, at: float) -> AsyncIterator[None]:
    """Raises TimeoutError when this time of the loop, and LOOK, is over: a connection that is there by then was made in time."""
    async with asyncio.timeout(None) as limit:
        timer = loop.call_at(at, lambda: limit.reschedule(loop.time() + LOOK))
        try:
            yield
        finally:
            timer.cancel()


def _expire(waiter: asyncio.Future[Connection | None], at: float, deadline: float | None) -> None:
    if not waiter.done():
        waiter.set_exception(_sooner(at, deadline, PoolTimeout("no connection came free in time")))


def _sooner(at: float, deadline: float | None, error: PoolError) -> PoolError:
    """The error of the limit ``at``, or ReadTimeout if the request's own deadline came first. The clock has no say: uvloop's timers may
    fire a millisecond early.
    """
    if deadline is not None and deadline <= at:
        return ReadTimeout("the time for the request is up")
    return error

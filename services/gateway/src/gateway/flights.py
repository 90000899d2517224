"""Requests under way to a service, and the one timer that looks after their clients.

A forwarded request has no task of its own beside the server's. Every `TICK` a look at all of them finds those that have been under
way for a while (they get a watcher that waits for the disconnect), those whose time is up, and those whose client neither sends nor
reads. The last two kinds are cancelled, and `reason` says why. Quick requests never pay for it.
"""

import asyncio
import time
from typing import Final

from shared.client import Client
from shared.errors import RequestTimedOut, UpstreamTimeout

TICK: Final = 0.025
GRACE: Final = 0.05  # the pool's own deadline comes first, and knows better what it waited for


class ClientGone(Exception):
    """The client has disconnected, or read no byte for too long; nothing is left of the request upstream."""


class Flight:
    """One request. `reason` is set before its task is cancelled from here; `pending` while its body is still to come."""

    __slots__ = ("client", "deadline", "pending", "reason", "started", "task", "watcher")

    def __init__(self, client: Client, deadline: float | None, pending: bool) -> None:
        self.task = asyncio.current_task()
        self.client = client
        self.started = time.monotonic()
        self.deadline = deadline
        self.pending = pending
        self.reason: Exception | None = None
        self.watcher: asyncio.Task[None] | None = None

    def end(self, reason: Exception) -> None:
        """Cancel it, unless that was done before."""
        if self.reason is None and self.task is not None:
            self.reason = reason
            self.task.cancel()

    async def watch(self) -> None:
        """Wait for the client to disconnect."""
        if await self.client.disconnected():
            self.end(ClientGone("the client has disconnected"))


class Flights:
    """All requests under way through one forwarder; `patience` is how many seconds a client may do nothing when it is its turn."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._flights: dict[Flight, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._flights)

    def begin(self, flight: Flight) -> None:
        """Look after it from now on."""
        self._flights[flight] = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(TICK, self._tick)

    def finish(self, flight: Flight) -> None:
        """It has ended."""
        del self._flights[flight]
        if flight.watcher is not None:
            flight.watcher.cancel()

    def _tick(self) -> None:
        self._timer = None
        if not self._flights:
            return
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(TICK, self._tick)
        now = time.monotonic()
        for flight in self._flights:
            if flight.deadline is not None and now > flight.deadline + GRACE:
                flight.end(_too_slow(flight) or UpstreamTimeout("The time for this request is spent."))
            elif flight.client.idle(now) > self._patience:
                flight.end(_too_slow(flight) or ClientGone("the client does not read"))
            elif flight.watcher is None and not flight.pending and now > flight.started + TICK:
                flight.watcher = loop.create_task(flight.watch())


def _too_slow(flight: Flight) -> Exception | None:
    return RequestTimedOut("The request's body came too slowly.") if flight.pending else None

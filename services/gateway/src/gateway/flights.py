"""Requests under way to a service, and the one timer that looks after their clients.

A forwarded request has no task of its own beside the server's. Every `TICK` a look at all of them finds those that have been under
way for a while (they get a watcher that waits for the disconnect), those whose time is up, and those whose client neither sends nor
reads. The last two kinds are cancelled, and `reason` says why. Quick requests never pay for it.
"""

import asyncio
import time
from typing import Any, Final

from shared.errors import RequestTimedOut, UpstreamTimeout
from shared.pulled import until_disconnected

TICK: Final = 0.025
GRACE: Final = 0.05  # the pool's own deadline comes first, and knows better what it waited for


class ClientGone(Exception):
    """The client has disconnected, or neither sent nor read a byte for too long; nothing is left of the request upstream."""


class Flight:
    """One request. `reason` is set before its task is cancelled from here; `pending` while its body is still to come."""

    __slots__ = ("awaits_client", "deadline", "pending", "reason", "receive", "started", "task", "watcher")

    def __init__(self, receive: Any, deadline: float | None, pending: bool) -> None:
        self.task = asyncio.current_task()
        self.receive = receive
        self.started = time.monotonic()
        self.deadline = deadline
        self.pending = pending
        self.awaits_client = 0.0
        self.reason: Exception | None = None
        self.watcher: asyncio.Task[None] | None = None

    def end(self, reason: Exception) -> None:
        """Cancel it, unless that was done before."""
        if self.reason is None and self.task is not None:
            self.reason = reason
            self.task.cancel()

    async def watch(self) -> None:
        """Wait for the client to disconnect."""
        if await until_disconnected(self.receive):
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
                flight.end(_too_late(flight))
            elif flight.awaits_client and now > flight.awaits_client + self._patience:
                flight.end(ClientGone("the client neither sends nor reads"))
            elif flight.watcher is None and not flight.pending and now > flight.started + TICK:
                flight.watcher = loop.create_task(flight.watch())


def _too_late(flight: Flight) -> Exception:
    if flight.pending:
        return RequestTimedOut("The request's body came too slowly.")
    return UpstreamTimeout("The time for this request is spent.")

"""A bulkhead: so many requests may be under way at the same time, a few more wait a moment, the rest are refused.

One service that hangs must not take all of the gateway with it.
"""

import asyncio
from collections import deque

from gateway.resilience.refusals import Full


class Bulkhead:
    """`size` places, given in order of arrival. `busy` are taken, `refused` counts those who got none."""

    __slots__ = ("_waiting", "busy", "refused", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.busy = 0
        self.refused = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def try_enter(self) -> bool:
        """Take a place if one is free and nobody waits for it."""
        if self.busy < self.size and not self._waiting:
            self.busy += 1
            return True
        return False

    async def enter(self, patience: float) -> None:
        """Take a place, waiting for one at most `patience` seconds. Raises Full. A cancelled caller has none."""
        if self.try_enter():
            return
        loop = asyncio.get_running_loop()
        place: asyncio.Future[None] = loop.create_future()
        self._waiting.append(place)
        timer = loop.call_later(patience, _expire, place)
        try:
            await place
        except BaseException as error:
            if place.done() and not place.cancelled() and place.exception() is None:
                self.leave()  # it was given to us in the moment in which we were cancelled
            elif place in self._waiting:
                self._waiting.remove(place)
            if isinstance(error, Full):
                self.refused += 1
            raise
        finally:
            timer.cancel()

    def leave(self) -> None:
        """Give a place back: to who waits longest, if anybody does."""
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                return
        self.busy -= 1


def _expire(place: "asyncio.Future[None]") -> None:
    if not place.done():
        place.set_exception(Full())

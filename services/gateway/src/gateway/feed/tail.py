"""The end of one service's feed, read once for everyone in this process who waits there."""

import asyncio
import time
from bisect import bisect_right
from collections.abc import Callable
from typing import Any, Final

from gateway.clients.feeds import READS_AT_ONCE, Change, ServiceFeed
from shared.feedclient import BATCH, FeedFault, FeedGone, seq_of
from shared.looping import Looped

KEPT: Final = 2_000
KEPT_BYTES: Final = 8 * 2**20
KEPT_SECONDS: Final = 60.0
"""Of the newest events so many are kept, for so long at most; none once somebody was erased or the service can't be asked, for what was
erased there must not live on here.
"""

WAIT: Final = 20
"""Seconds that one request waits for news."""

UNWANTED: Final = 60.0
"""Seconds without anybody waiting after which it is read no further."""


class Tail(Looped):
    """Reads from the place of the first who has nothing left to read, while somebody waits; whoever is further back asks the service.

    `told` is called when there is something new: events, a failure, the end of a failure, or the end of an epoch.
    """

    def __init__(self, service: str, feed: ServiceFeed, told: Callable[[], None], log: Any) -> None:
        super().__init__(f"following {service}", log, longest_pause=2.0)
        self.service = service
        self.fault = ""
        """Why nothing can be read at the end at the moment; empty when it can."""
        self._feed, self._told = feed, told
        self._few = asyncio.Semaphore(READS_AT_ONCE)
        self._kept: list[tuple[float, Change]] = []
        self._bytes = 0
        self._before: str | None = None  # the place in front of the first event that is kept
        self._end: str | None = None
        self._wanted = 0.0

    async def read(self, after: str | None, limit: int = BATCH, *, ask: bool = True) -> list[Change]:
        """The next events after a place, at most `limit`; none at the end. Raises FeedGone, FeedFault.

        At the end the service is asked whether that is still so, unless told not to `ask`: then what the tail knows is taken, and whoever
        comes to the end makes it begin there.
        """
        known = self._known_after(after, limit)
        if known:
            return known
        if known is not None and not ask:
            if not self.fault:
                return known
            if after == self._end:
                raise FeedFault(self.fault)
        async with self._few:
            found = await self._feed.changes(after, limit=limit)
        if not ask and len(found) < limit:
            await self.want(found[-1].head.id if found else after)
        return found

    async def newest(self) -> str | None:
        """The place at the service's end now, None when nothing has happened yet. Raises FeedFault."""
        async with self._few:
            return await self._feed.newest()

    async def want(self, after: str | None) -> None:
        """Somebody is at a place after which nothing was there, and waits: `told` will be called.

        While nothing can be read at the tail's end, it goes on from whoever is further: what fails may be that place alone, as in front of
        a gap.
        """
        self._wanted = time.monotonic()
        if not self.running:
            self._begin(after)
            await self.start()
        elif self.fault and _seq(after) > _seq(self._end):
            self._begin(after)

    async def step(self) -> bool:
        """Ask for what comes next, and keep it. Raises FeedFault."""
        if time.monotonic() - self._wanted > UNWANTED:
            self._end_soon()
        try:
            news = await self._feed.changes(self._end, wait=0 if self.failing else WAIT)
        except FeedGone as error:
            self._begin(None)
            self._end_soon()
            raise FeedFault("its database was restored") from error
        except FeedFault as error:
            self._forget()
            if not self.fault:
                self.fault = str(error)
                self._told()
            raise
        recovered, self.fault = bool(self.fault), ""
        self._keep(news)
        if news or recovered:
            self._told()
        return bool(news)

    async def stop(self) -> None:
        await super().stop()
        await self._feed.aclose()

    def _end_soon(self) -> None:
        """The task ends at its next pause; whoever waits then begins anew."""
        if self._task is not None:
            self._task.cancel()
        self._told()

    def _begin(self, place: str | None) -> None:
        self._end, self.fault = place, ""
        self._forget()

    def _forget(self) -> None:
        """Keep nothing: whoever is not at the end asks the service."""
        self._kept, self._bytes, self._before = [], 0, self._end

    def _keep(self, news: list[Change]) -> None:
        now = time.monotonic()
        self._kept += [(now, change) for change in news]
        self._bytes += sum(len(change.raw) for change in news)
        if news:
            self._end = news[-1].head.id
        if any(change.head.erased for change in news):
            self._forget()
        gone = 0
        for at, change in self._kept:
            if len(self._kept) - gone <= KEPT and self._bytes <= KEPT_BYTES and now - at <= KEPT_SECONDS:
                break
            gone += 1
            self._bytes -= len(change.raw)
            self._before = change.head.id
        del self._kept[:gone]

    def _known_after(self, after: str | None, limit: int) -> list[Change] | None:
        """What is kept after a place; None when it is too far back to tell, of another epoch, or nothing is read now."""
        if not self.running:
            return None
        if after == self._end:
            return []
        if (after is not None and _epoch(after) != _epoch(self._end)) or _seq(after) < _seq(self._before):
            return None
        first = bisect_right(self._kept, _seq(after), key=lambda kept: kept[1].seq)
        return [change for _, change in self._kept[first : first + limit]]


def _seq(place: str | None) -> int:
    return seq_of(place) if place else 0


def _epoch(place: str | None) -> str:
    return place.partition(".")[0] if place else ""

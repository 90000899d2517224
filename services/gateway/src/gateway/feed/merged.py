"""The feeds of all services as one. Order is promised within each service; between them, events come by their times."""

import asyncio
import heapq
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.clients.feeds import Change, ServiceFeed
from gateway.errors import FeedRestored, ServiceUnavailable
from gateway.feed.tail import Tail
from gateway.feed.vector import Vector
from shared.feedclient import BATCH, FeedFault, FeedGone

OWNERS: Final[Mapping[str, str]] = {"employee": "employees", "team": "teams", "membership": "teams"}
"""Whose events tell of which records."""

EVERYTHING: Final = frozenset(OWNERS)
LAST: Final = "~"
"""Later than any time."""

LOOK: Final = 1.0
"""Seconds after which a wait makes sure that it still waits for something."""


@dataclass(frozen=True, slots=True)
class Event:
    """A change, and the reader's place after it."""

    change: Change
    after: Vector

    def json(self) -> bytes:
        """The CloudEvent as its owner wrote it, with the extension attribute `cursor`."""
        return b'%b,"cursor":"%b"}' % (self.change.raw.rstrip()[:-1], str(self.after).encode())


@dataclass(frozen=True, slots=True)
class Batch:
    """What was read: events, the place after them and after what the filter left out, the services that could not be asked, and why."""

    events: list[Event]
    after: Vector
    missing: tuple[str, ...]
    reason: str = ""

    def require(self) -> None:
        """Raise ServiceUnavailable when a service could not be asked."""
        if self.missing:
            raise unavailable(self.missing)

    def require_any(self) -> None:
        """Raise FeedFault when nothing was read because a service could not be asked."""
        if self.missing and not self.events:
            raise FeedFault(self.reason)


class Merged:
    """One process's readers of both feeds share a `Tail` for each, and this."""

    def __init__(self, feeds: Mapping[str, ServiceFeed], log: Any) -> None:
        self._tails = {service: Tail(service, feed, self._tell, log) for service, feed in feeds.items()}
        self._news = asyncio.Event()
        self._log = log
        self._faults: dict[str, str] = {}

    async def read(self, at: Vector, entities: Collection[str], *, limit: int = 100, wait: float = 0.0, ask: bool = True) -> Batch:
        """The next events after a place that tell of `entities`, waiting for the first one up to `wait` seconds.

        An empty batch means that nothing new was there in the services that are not `missing`. Without `ask`, what this process
        knows of the feeds' ends is taken. Raises FeedRestored.
        """
        services = {OWNERS[entity] for entity in entities}
        loop = asyncio.get_running_loop()
        until = loop.time() + wait
        while True:
            news = self._news
            batch, more = await self._read(at, services, entities, limit, ask=ask)
            at, left = batch.after, until - loop.time()
            if batch.events or (not more and left <= 0):
                return batch
            if more:
                continue
            for service in services:
                await self._tails[service].want(at.of(service))
            try:
                async with asyncio.timeout(min(left, LOOK)):
                    await news.wait()
            except TimeoutError:
                pass
            ask = False

    async def newest(self) -> Vector:
        """The place at the end of every feed. Raises ServiceUnavailable."""
        at = Vector()
        for service, tail in self._tails.items():
            try:
                at = at.at(service, await tail.newest())
            except FeedFault as fault:
                raise unavailable([service]) from fault
        return at

    async def stop(self) -> None:
        """End the tails and cut every connection."""
        for tail in self._tails.values():
            await tail.stop()

    async def _read(self, at: Vector, services: Collection[str], entities: Collection[str], limit: int, *, ask: bool) -> tuple[Batch, bool]:
        """A batch, and whether there may be more right after it."""
        order = [service for service in self._tails if service in services]
        size = limit if {entity for entity in OWNERS if OWNERS[entity] in services} <= set(entities) else max(limit, BATCH)
        reads = (self._tails[service].read(at.of(service), size, ask=ask) for service in order)
        answers = await asyncio.gather(*reads, return_exceptions=True)
        _check(at, dict(zip(order, answers, strict=True)))
        faults = {service: answer for service, answer in zip(order, answers, strict=True) if isinstance(answer, FeedFault)}
        found = {service: answer for service, answer in zip(order, answers, strict=True) if not isinstance(answer, BaseException)}
        events: list[Event] = []
        horizon = min((changes[-1].head.time for changes in found.values() if len(changes) >= size), default=LAST)
        for moment, service, change in heapq.merge(*(_keyed(service, changes) for service, changes in found.items()), key=_time):
            if moment > horizon:  # what else that service had by then has not come yet
                break
            at = at.at(service, change.head.id)
            if change.entity in entities:
                events.append(Event(change, at))
                if len(events) == limit:
                    break
        return Batch(events, at, tuple(faults), self._reason_of(faults)), any(found.values())

    def _reason_of(self, faults: Mapping[str, FeedFault]) -> str:
        """Why services could not be asked, for a log too: each reason once, until another comes."""
        for service, fault in faults.items():
            if self._faults.get(service) != str(fault):
                self._faults[service] = str(fault)
                self._log.warning("a feed can't be read", service=service, reason=str(fault))
        return "; ".join(f"{service}: {fault}" for service, fault in faults.items())

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


def _check(at: Vector, answers: Mapping[str, list[Change] | BaseException]) -> None:
    """Raise for what is no mere fault of a service: FeedRestored, and whatever nobody expected."""
    restored = [service for service, answer in answers.items() if isinstance(answer, FeedGone)]
    if restored:
        for service in restored:
            at = at.at(service, None)
        raise FeedRestored(restored, str(at))
    for answer in answers.values():
        if isinstance(answer, BaseException) and not isinstance(answer, FeedFault):
            raise answer


def _keyed(service: str, changes: list[Change]) -> list[tuple[str, str, Change]]:
    return [(change.head.time, service, change) for change in changes]


def _time(keyed: tuple[str, str, Change]) -> str:
    return keyed[0]


def unavailable(missing: Collection[str]) -> ServiceUnavailable:
    """The problem for services that can't be asked."""
    names = " and ".join(missing)
    return ServiceUnavailable(
        f"The feed of {names} can't be read now, so it can't be said whether there is anything new.", services=[*missing]
    )

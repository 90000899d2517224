"""For tests that ask a store how things were: a clock to distrust, and the whole log to compare with."""

import random
from datetime import datetime, timedelta
from typing import Any

import msgspec

from shared.db import Database
from shared.feed import Feed


class UnsteadyClock:
    """A time that mostly goes on, at times stands still, and at times goes back; it begins at noon, so that its day stays the same."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.time = datetime.fromisoformat("2026-01-01T12:00:00.000000+00:00")

    def __call__(self) -> str:
        self.time += timedelta(microseconds=self.dice.choice((0, 0, 1, 2, 50, 1_000_000, -500_000)))
        return self.time.isoformat(timespec="microseconds")[:26] + "Z"


async def everything(feed: Feed, db: Database) -> list[dict[str, Any]]:
    """All events of a feed, as plain documents."""
    events: list[dict[str, Any]] = []
    while some := await feed.read(db, events[-1]["id"] if events else None, 1000):
        events += msgspec.to_builtins(some)
    return events


def about(at: str, dice: random.Random) -> str:
    """A time at, just before or just after another."""
    moved = datetime.fromisoformat(at) + timedelta(microseconds=dice.choice((-1, 0, 0, 1, 777)))
    return moved.isoformat(timespec="microseconds")[:26] + "Z"

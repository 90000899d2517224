"""How many reads may be under way to a service: any number up to all places, until somebody has to be refused.

Reads that burn a service's processor wait there for each other: with sixty-four of them under way each takes sixty-four times as long,
and the service answers no more in a second than with two. While all are served that harms nobody. Once some must be refused
anyway it does: then only so many are let through that an answer takes at most `SLOWER` times what it takes when its request is alone,
and who is refused is so at once. Writes are no part of this: those that wait together are committed together.

By Little's law the right number is the rate times the time wanted, so the number now is multiplied by the time wanted and divided by the
time measured; times are compared operation by operation, since some take fifty times as long as others. Whatever they say, nobody is
to be refused by a service that has nothing to do: a moment in which it stood still is no overload.
"""

import time
from collections.abc import Callable
from typing import Final

LEAST: Final = 2
"""One that is worked on, and one that comes next."""
SLOWER: Final = 1.5
WINDOW: Final = 0.1
"""Seconds of one measurement."""
IDLE: Final = 0.2
"""The share of that in which nothing is under way to a service that has room for more: the limit is doubled."""
WEIGHT: Final = 0.1
"""Of the newest time among those of requests that were alone."""
ENOUGH: Final = 10
"""Answers that tell how long they take now."""
OPERATIONS: Final = 500


class AdaptiveLimit:
    """`limit` places for reads, between `LEAST` and `most`. `clock` in seconds."""

    __slots__ = (
        "_alone",
        "_began",
        "_clock",
        "_count",
        "_free_since",
        "_idle",
        "_least",
        "_most",
        "_refusals",
        "_sum",
        "_unknown",
        "busy",
        "limit",
        "refused",
    )

    def __init__(self, most: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = float(most)
        self.busy = 0
        self.refused = 0
        self._least, self._most = float(min(LEAST, most)), float(most)
        self._clock = clock
        self._alone: dict[str, float] = {}
        self._began = self._free_since = clock()
        self._sum = self._idle = 0.0
        self._count = self._refusals = self._unknown = 0

    @property
    def full(self) -> bool:
        """Whether a read that comes now is to be refused at once."""
        if self.limit >= self._most or self.busy < self.limit:
            return False
        self._look()
        return self.busy >= self.limit

    def enter(self) -> bool:
        """Take a place, to be given back with `leave`; False when there is none."""
        if self.full:
            return False
        if not self.busy:
            self._idle += self._clock() - self._free_since
        self.busy += 1
        return True

    def leave(self) -> None:
        """A read has ended."""
        self.busy -= 1
        if not self.busy:
            self._free_since = self._clock()

    def answered(self, operation: str, seconds: float, alone: bool) -> None:
        """An answer began after so many seconds; `alone` when no other read was under way as it was asked for."""
        usual = self._alone.get(operation)
        if alone:
            if usual is not None or len(self._alone) < OPERATIONS:
                self._alone[operation] = seconds if usual is None else usual + (seconds - usual) * WEIGHT
        elif usual:
            self._sum += seconds / usual
            self._count += 1
        else:
            self._unknown += 1
            if self.limit <= self._least and len(self._alone) < OPERATIONS:
                self._alone[operation] = seconds  # of two, at most twice what it takes alone
        self._look()

    def turned_away(self) -> None:
        """A read was refused for want of a place of this limit."""
        self.refused += 1
        self.crowded()

    def crowded(self) -> None:
        """A read is refused, by whomever, or has to wait for a place that this limit would give. With the first the measurement ends."""
        self._refusals += 1
        self._look(at_once=self.limit >= self._most and self._count + self._unknown >= ENOUGH)

    def _look(self, at_once: bool = False) -> None:
        now = self._clock()
        lasted = now - self._began
        if lasted < WINDOW and not at_once:
            return
        if not self.busy:
            self._idle, self._free_since = self._idle + now - self._free_since, now
        if not self._refusals or self._idle > IDLE * lasted:
            self.limit = min(self.limit * 2 ** min(lasted / WINDOW, 10), self._most)
        elif self._count and (slower := self._sum / self._count) > SLOWER:
            self.limit = max(self.limit * SLOWER / slower, self._least)
        elif self._unknown >= ENOUGH and not self._count:  # nobody knows what they take alone: find out
            self.limit = max(self.limit / 2, self._least)
        else:
            self.limit = min(self.limit + 1, self._most)
        self._began = now
        self._sum = self._idle = 0.0
        self._count = self._refusals = self._unknown = 0

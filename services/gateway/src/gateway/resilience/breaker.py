"""A circuit breaker: a service that fails is left alone for a while, then asked by one request at a time until it is well.

    closed ──(≥ 20 calls in 10 s and half of them failed, or 5 failed connections in a row)──> open
    open ──(5 s × 2ⁿ, at most 60 s, ± 20 %)──> half-open
    half-open ──(3 successes in a row)──> closed
    half-open ──(1 failure)──> open, for twice as long

Whoever asks gets a ticket and gives it back with what happened. A ticket counts only in the state that it was given in: answers to requests
from before the breaker opened say nothing about how the service is afterwards.
"""

import random
import time
from collections.abc import Callable
from enum import Enum
from math import ceil
from typing import Final

from gateway.resilience.refusals import BreakerOpen

BUCKETS: Final = 10
"""Seconds of the window, one bucket each."""
LEAST_CALLS: Final = 20
FAILED_SHARE: Final = 0.5
CONNECTS: Final = 5
"""Failed connections in a row that open it, however few the calls."""
FIRST_REST: Final = 5.0
LONGEST_REST: Final = 60.0
SPREAD: Final = 0.2
"""By how much a rest may be longer or shorter, so that several gateways don't probe at once."""
PROBES: Final = 3
"""Successes in a row that close it."""
UNCOUNTED: Final = -1
"""The ticket of what is no probe."""


class State(Enum):
    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Outcome(Enum):
    """What a call says about the service. NOTHING: the caller went away, or we ourselves refused."""

    SUCCESS = 0
    FAILURE = 1
    NO_CONNECTION = 2
    NOTHING = 3


class Breaker:
    """One service's, for one kind of request. `clock` in seconds; `spread` gives a number between -1 and 1."""

    __slots__ = (
        "_bucket",
        "_calls",
        "_clock",
        "_connects",
        "_failures",
        "_opened_in_a_row",
        "_probing",
        "_proved",
        "_spread",
        "_ticket",
        "_until",
        "failed",
        "opened",
        "refused",
        "state",
        "total",
    )

    def __init__(self, clock: Callable[[], float] = time.monotonic, spread: Callable[[], float] = lambda: random.uniform(-1, 1)) -> None:  # noqa: S311 - spreads attempts, keeps no secret
        self._clock = clock
        self._spread = spread
        self.state = State.CLOSED
        self.opened = self.refused = 0
        """How often it has opened, and how many it has refused."""
        self._ticket = 0
        self._until = 0.0
        self._opened_in_a_row = 0
        self._probing = False
        self._proved = 0
        self._calls = [0] * BUCKETS
        self._failures = [0] * BUCKETS
        self._bucket = int(clock())
        self.total = self.failed = 0
        """Calls of the last ten seconds, and how many of them failed."""
        self._connects = 0

    def check(self) -> None:
        """Raise BreakerOpen if `admit` would; takes nothing."""
        if self.state is State.CLOSED:
            return
        self._check_rest()
        if self._probing:
            self.refused += 1
            raise BreakerOpen(1)

    def admit(self, *, probe: bool = True) -> int:
        """A ticket, to be given to `settle` exactly once. Raises BreakerOpen.

        What may last for minutes is no `probe`: while the breaker is half-open it may pass, and counts as nothing.
        """
        if self.state is not State.CLOSED:
            if not probe:
                self._check_rest()
                return UNCOUNTED
            self.check()
            if self.state is State.OPEN:
                self._enter(State.HALF_OPEN)
                self._proved = 0
            self._probing = True
        return self._ticket

    def settle(self, ticket: int, outcome: Outcome) -> None:
        """Take note of how a call has ended."""
        if ticket != self._ticket:
            return
        if self.state is State.HALF_OPEN:
            self._settle_probe(outcome)
        elif outcome is not Outcome.NOTHING:
            self._count(outcome)

    def _check_rest(self) -> None:
        wait = self._until - self._clock()
        if self.state is State.OPEN and wait > 0:
            self.refused += 1
            raise BreakerOpen(ceil(wait))

    def _settle_probe(self, outcome: Outcome) -> None:
        self._probing = False
        if outcome is Outcome.SUCCESS:
            self._proved += 1
            if self._proved == PROBES:
                self._enter(State.CLOSED)
                self._opened_in_a_row = self._connects = 0
                self._turn(self._bucket + BUCKETS)
        elif outcome is not Outcome.NOTHING:
            self._open()

    def _count(self, outcome: Outcome) -> None:
        bucket = int(self._clock())
        if bucket != self._bucket:
            self._turn(bucket)
        place = bucket % BUCKETS
        self._calls[place] += 1
        self.total += 1
        if outcome is Outcome.SUCCESS:
            self._connects = 0
            return
        self._failures[place] += 1
        self.failed += 1
        self._connects = self._connects + 1 if outcome is Outcome.NO_CONNECTION else 0
        if self._connects >= CONNECTS or (self.total >= LEAST_CALLS and self.failed >= FAILED_SHARE * self.total):
            self._open()

    def _open(self) -> None:
        rest = min(FIRST_REST * 2.0**self._opened_in_a_row, LONGEST_REST)
        self._until = self._clock() + rest * (1 + SPREAD * self._spread())
        self._opened_in_a_row = min(self._opened_in_a_row + 1, 10)
        self.opened += 1
        self._enter(State.OPEN)

    def _enter(self, state: State) -> None:
        self.state = state
        self._ticket += 1
        self._probing = False

    def _turn(self, bucket: int) -> None:
        """Empty the buckets of the seconds that have gone by."""
        for gone in range(max(self._bucket + 1, bucket - BUCKETS + 1), bucket + 1):
            place = gone % BUCKETS
            self.total -= self._calls[place]
            self.failed -= self._failures[place]
            self._calls[place] = self._failures[place] = 0
        self._bucket = bucket

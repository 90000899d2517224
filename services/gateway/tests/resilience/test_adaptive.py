"""How many reads may be under way: all that fit while nobody is refused, and few enough to be quick when somebody must be."""

import asyncio
from collections import deque
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.resilience import Full
from gateway.resilience.adaptive import LEAST, WINDOW, AdaptiveLimit
from shared.testing.raw import RawServers, until

TAKES = 0.002
"""Seconds that the service works at a read, one after the other."""


class Service:
    """A service that works at one read at a time, on a clock moved by hand; `took` has what its answers took."""

    def __init__(self, most: int = 64) -> None:
        self.now = 1000.0
        self.limit = AdaptiveLimit(most, clock=lambda: self.now)
        self.under_way: deque[tuple[float, bool]] = deque()
        self.took: list[float] = []
        self.refused = 0
        self._most = most

    def come(self) -> None:
        if not self.limit.enter():
            self.refused += 1
            self.limit.turned_away()
        elif len(self.under_way) >= self._most:
            self.refused += 1
            self.limit.leave()
            self.limit.turned_away()
        else:
            self.under_way.append((self.now, self.limit.busy <= 1))

    def answer(self) -> None:
        if self.under_way:
            since, alone = self.under_way.popleft()
            self.took.append(self.now - since)
            self.limit.answered("get", self.now - since, alone)
            self.limit.leave()

    def run(self, seconds: float, times: float, *, works: bool = True) -> None:
        """So many times as many reads as can be answered."""
        for step in range(int(seconds / TAKES)):
            for _ in range(int((step + 1) * times) - int(step * times)):
                self.come()
            self.now += TAKES
            if works:
                self.answer()


def test_three_times_the_load_is_answered_as_much_as_ever_and_soon() -> None:
    service = Service()
    service.run(1, 0.5)
    service.run(1, 3)
    service.took.clear()
    service.run(5, 3)
    assert len(service.took) >= 0.99 * 5 / TAKES, "the service is never idle"
    assert max(service.took) <= 4 * TAKES
    service.run(0.5, 0.5)
    assert service.limit.limit == 64, "half a second after the load is over"


@pytest.mark.parametrize(("times", "limit"), [(1.4, 64), (2.0, 48), (3.0, 32), (100.0, 2)])
def test_an_answer_may_take_half_again_as_long_as_alone_and_two_reads_are_let_through(times: float, limit: int) -> None:
    service = Service()
    service.come()
    service.limit.answered("get", TAKES, True)
    service.limit.crowded()
    service.now += WINDOW
    service.limit.answered("get", times * TAKES, False)
    assert service.limit.limit == pytest.approx(limit)


def test_a_gateway_that_starts_under_load_finds_out_what_is_too_much() -> None:
    """No read is ever alone: one that lasts is always under way."""
    service = Service()
    assert service.limit.enter()
    service.run(5, 3)
    service.took.clear()
    service.run(5, 3)
    assert len(service.took) >= 0.9 * 5 / TAKES
    assert max(service.took) <= 8 * TAKES


def test_two_reads_that_last_keep_nobody_out_for_long() -> None:
    service = Service()
    service.run(1, 0.5)
    service.run(2, 3)
    assert service.limit.limit < 64
    service.run(0.5, 1, works=False)
    service.run(5, 0.5, works=False)
    assert service.limit.limit > 10, "the others go past"


def test_what_all_places_hold_is_no_overload() -> None:
    service = Service()
    service.run(1, 0.5)
    for _ in range(64):
        service.come()
    for _ in range(5_000):
        service.now += TAKES
        service.answer()
        service.come()
    assert (service.refused, service.limit.limit) == (0, 64)


def test_a_service_that_stood_still_for_a_moment_is_not_overloaded_for_long() -> None:
    service = Service()
    service.run(1, 0.3)
    service.run(1, 0.3, works=False)
    assert service.refused > 0
    service.run(1, 0.3)
    refused = service.refused
    service.run(5, 0.3)
    assert (service.refused, service.limit.limit) == (refused, 64)


def test_a_service_that_is_far_away_keeps_its_places() -> None:
    """Each answer takes as long as ever, however many are under way."""
    service = Service()
    for _ in range(100):
        for _ in range(100):
            service.come()
        service.now += 0.1
        for _ in range(len(service.under_way)):
            service.answer()
    assert service.limit.limit == 64


@given(st.lists(st.tuples(st.sampled_from(["come", "answer", "wait"]), st.integers(1, 90)), max_size=80), st.integers(1, 64))
@settings(deadline=None)
def test_the_limit_keeps_its_bounds_and_no_place_is_lost(steps: list[tuple[str, int]], most: int) -> None:
    service = Service(most)
    for what, count in steps:
        for _ in range(count):
            if what == "wait":
                service.now += WINDOW / 10
            else:
                (service.come if what == "come" else service.answer)()
            assert min(LEAST, most) <= service.limit.limit <= most
    assert service.limit.busy == len(service.under_way)


async def test_reads_are_refused_at_once_and_writes_are_not(servers: RawServers, to: Any, ask: Any) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    calls = to(await servers.start(handler), requests=8)
    limit = calls.requests.limit
    limit.limit = 2.0
    asking = [asyncio.create_task(ask(calls, method)) for method in [b"GET"] * 2 + [b"POST"] * 5]
    await until(lambda: calls.requests.busy == 7)
    with pytest.raises(Full):
        await ask(calls)
    assert (limit.busy, limit.refused, calls.requests.busy) == (2, 1, 7)
    for task in asking:
        task.cancel()
    await asyncio.wait(asking)
    assert (limit.busy, calls.requests.busy) == (0, 0)

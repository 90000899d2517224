"""The breaker, compared with a model that keeps every call."""

import asyncio

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.resilience.breaker import Breaker, Outcome, State
from gateway.resilience.refusals import BreakerOpen


class Clock:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def breaker_at(clock: Clock, spread: float = 0.0) -> Breaker:
    return Breaker(clock, lambda: spread)


def fail(breaker: Breaker, times: int, outcome: Outcome = Outcome.FAILURE) -> None:
    for _ in range(times):
        breaker.settle(breaker.admit(), outcome)


def state_of(breaker: Breaker) -> State:
    return breaker.state


def is_open(breaker: Breaker) -> bool:
    try:
        breaker.check()
    except BreakerOpen:
        return True
    return False


class BreakerMachine(RuleBasedStateMachine):
    """What the page says, written down call by call, with nothing forgotten."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.breaker = breaker_at(self.clock)
        self.state = State.CLOSED
        self.period = 0
        self.calls: list[tuple[int, Outcome]] = []
        self.rests = 0
        self.until = 0.0
        self.proved = 0
        self.probing = False
        self.tickets: list[tuple[int, int]] = []
        """(the breaker's ticket, the period of the model in which it was given) of those who have not come back."""

    @rule(seconds=st.sampled_from([0.0, 0.3, 1.0, 4.0, 6.0, 11.0, 80.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(probe=st.booleans())
    def someone_asks(self, probe: bool) -> None:
        resting = self.state is State.OPEN and self.clock.now < self.until
        if resting or (probe and self.state is State.HALF_OPEN and self.probing):
            with pytest.raises(BreakerOpen) as caught:
                self.breaker.admit(probe=probe)
            assert 1 <= caught.value.retry_after <= 61
            return
        ticket = self.breaker.admit(probe=probe)
        if self.state is not State.CLOSED:
            if not probe:
                self.tickets.append((ticket, -1))
                return
            if self.state is State.OPEN:
                self.state, self.proved = State.HALF_OPEN, 0
                self.period += 1
            self.probing = True
        self.tickets.append((ticket, self.period))

    @rule(outcome=st.sampled_from(list(Outcome)), times=st.integers(1, 12))
    def many_ask_and_end_alike(self, outcome: Outcome, times: int) -> None:
        for _ in range(times):
            before = len(self.tickets)
            self.someone_asks(probe=True)
            if len(self.tickets) > before:
                self._end(len(self.tickets) - 1, outcome)

    @precondition(lambda self: self.tickets)
    @rule(data=st.data(), outcome=st.sampled_from(list(Outcome)))
    def someone_comes_back(self, data: st.DataObject, outcome: Outcome) -> None:
        self._end(data.draw(st.integers(0, len(self.tickets) - 1)), outcome)

    def _end(self, place: int, outcome: Outcome) -> None:
        ticket, period = self.tickets.pop(place)
        self.breaker.settle(ticket, outcome)
        if period != self.period:
            return
        if self.state is State.HALF_OPEN:
            self._end_probe(outcome)
        elif outcome is not Outcome.NOTHING:
            self.calls.append((int(self.clock.now), outcome))
            if outcome is not Outcome.SUCCESS and self._has_failed():
                self._rest()

    def _end_probe(self, outcome: Outcome) -> None:
        self.probing = False
        if outcome is Outcome.SUCCESS:
            self.proved += 1
            if self.proved == 3:
                self.state, self.rests, self.calls = State.CLOSED, 0, []
                self.period += 1
        elif outcome is not Outcome.NOTHING:
            self._rest()

    def _has_failed(self) -> bool:
        last = [outcome for _, outcome in self.calls[-5:]]
        window = [outcome for second, outcome in self.calls if second > int(self.clock.now) - 10]
        failed = sum(outcome is not Outcome.SUCCESS for outcome in window)
        return last == [Outcome.NO_CONNECTION] * 5 or (len(window) >= 20 and 2 * failed >= len(window))

    def _rest(self) -> None:
        self.state = State.OPEN
        self.until = self.clock.now + min(60.0, 5.0 * 2**self.rests)
        self.rests += 1
        self.period += 1
        self.probing = False

    @invariant()
    def the_state_is_the_models(self) -> None:
        assert self.breaker.state is self.state


BreakerMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
TestBreaker = BreakerMachine.TestCase


def test_it_opens_at_half_of_twenty_and_not_before() -> None:
    breaker = breaker_at(Clock())
    fail(breaker, 10, Outcome.SUCCESS)
    fail(breaker, 9)
    assert state_of(breaker) is State.CLOSED
    fail(breaker, 1)
    assert state_of(breaker) is State.OPEN


@pytest.mark.parametrize(("seconds", "state"), [(9.9, State.OPEN), (10.0, State.CLOSED)])
def test_a_call_counts_for_ten_seconds(seconds: float, state: State) -> None:
    clock = Clock()
    breaker = breaker_at(clock)
    fail(breaker, 19)
    clock.now += seconds
    fail(breaker, 1)
    assert state_of(breaker) is state


def test_five_failed_connections_in_a_row_are_enough() -> None:
    breaker = breaker_at(Clock())
    fail(breaker, 4, Outcome.NO_CONNECTION)
    fail(breaker, 1, Outcome.SUCCESS)
    fail(breaker, 4, Outcome.NO_CONNECTION)
    assert state_of(breaker) is State.CLOSED
    fail(breaker, 1, Outcome.NO_CONNECTION)
    assert state_of(breaker) is State.OPEN


@pytest.mark.parametrize(("spread", "factor"), [(-1.0, 0.8), (0.0, 1.0), (1.0, 1.2)])
def test_each_rest_is_twice_the_one_before_up_to_a_minute(spread: float, factor: float) -> None:
    clock = Clock()
    breaker = breaker_at(clock, spread)
    fail(breaker, 5, Outcome.NO_CONNECTION)
    for rest in (5, 10, 20, 40, 60, 60):
        clock.now += rest * factor - 0.01
        assert is_open(breaker)
        clock.now += 0.02
        assert not is_open(breaker)
        fail(breaker, 1)


def test_a_thousand_clients_who_leave_do_not_open_it() -> None:
    breaker = breaker_at(Clock())
    fail(breaker, 1000, Outcome.NOTHING)
    fail(breaker, 19)
    assert state_of(breaker) is State.CLOSED


def test_a_probe_whose_client_leaves_frees_the_place_and_proves_nothing() -> None:
    clock = Clock()
    breaker = breaker_at(clock)
    fail(breaker, 5, Outcome.NO_CONNECTION)
    clock.now += 6
    for _ in range(10):
        fail(breaker, 1, Outcome.NOTHING)
    fail(breaker, 2, Outcome.SUCCESS)
    assert state_of(breaker) is State.HALF_OPEN
    fail(breaker, 1, Outcome.SUCCESS)
    assert state_of(breaker) is State.CLOSED


async def test_of_fifty_at_once_one_is_let_through() -> None:
    clock = Clock()
    breaker = breaker_at(clock)
    fail(breaker, 5, Outcome.NO_CONNECTION)
    clock.now += 6

    async def ask() -> bool:
        await asyncio.sleep(0)
        try:
            breaker.admit()
        except BreakerOpen:
            return False
        return True

    assert sum(await asyncio.gather(*(ask() for _ in range(50)))) == 1


def test_what_came_before_says_nothing_of_what_came_after() -> None:
    clock = Clock()
    breaker = breaker_at(clock)
    late = [breaker.admit() for _ in range(30)]
    fail(breaker, 5, Outcome.NO_CONNECTION)
    clock.now += 6
    probe = breaker.admit()
    for ticket in late:
        breaker.settle(ticket, Outcome.FAILURE)
    assert state_of(breaker) is State.HALF_OPEN
    breaker.settle(probe, Outcome.SUCCESS)
    assert state_of(breaker) is State.HALF_OPEN

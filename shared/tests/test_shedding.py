"""What a service takes on, and whom it refuses."""

import asyncio
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from shared.edge import Edge
from shared.shedding import Kind, Limiter, Shed
from shared.testing import notes
from shared.testing.callers import Signer

KINDS: tuple[Kind, ...] = get_args(Kind)
SIGNER = Signer()


class Clock:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def admitted(limiter: Limiter, kind: Kind, times: int) -> int:
    """How many of so many are taken on."""
    count = 0
    for _ in range(times):
        try:
            limiter.admit(kind)
        except Shed:
            continue
        count += 1
    return count


def work(limiter: Limiter, clock: Clock, kind: Kind, seconds: float, *, at_once: int, rounds: int) -> None:
    """Rounds of so many requests at a time, each taking so long."""
    for _ in range(rounds):
        count = admitted(limiter, kind, at_once)
        clock.now += seconds
        for _ in range(count):
            limiter.leave(kind, seconds)


def test_sixty_four_writes_and_a_gateways_worth_of_requests_are_no_overload() -> None:
    for mix in ({"write": 64}, {"read": 64}, {"read": 40, "write": 24, "transfer": 16}):
        limiter = Limiter()
        assert all(admitted(limiter, kind, count) == count for kind, count in mix.items())  # type: ignore[arg-type]  # the keys are kinds


@pytest.mark.parametrize(("first", "second", "share"), [("read", "write", 28), ("write", "read", 52)])
def test_neither_reads_nor_writes_starve_the_other(first: Kind, second: Kind, share: int) -> None:
    limiter = Limiter()
    assert admitted(limiter, first, 500) == 80
    assert admitted(limiter, second, 500) == share


def test_transfers_and_feeds_only_borrow_and_health_has_its_own() -> None:
    limiter = Limiter()
    admitted(limiter, "read", 80)
    assert admitted(limiter, "transfer", 5) == 0
    assert admitted(limiter, "feed", 5) == 0
    assert admitted(limiter, "health", 20) == 8
    limiter.leave("read", 0.001)
    assert admitted(limiter, "feed", 900) == 900, "a feed that waits takes no place"
    assert admitted(limiter, "transfer", 5) == 1


def test_the_limit_grows_while_answers_take_as_long_as_ever_and_shrinks_when_they_take_longer() -> None:
    clock = Clock()
    limiter = Limiter(clock=clock)
    work(limiter, clock, "read", 0.11, at_once=200, rounds=300)
    assert limiter.limit == 200
    work(limiter, clock, "read", 0.5, at_once=200, rounds=30)
    assert limiter.limit == 80
    work(limiter, clock, "read", 0.11, at_once=200, rounds=50)
    assert limiter.limit > 110, "five seconds after the trouble is over it is on its way up"


def test_a_measurement_moves_the_limit_a_fifth_of_the_way_to_four_more_than_fit() -> None:
    clock = Clock()
    limiter = Limiter(clock=clock)
    work(limiter, clock, "read", 0.11, at_once=80, rounds=1)
    assert limiter.limit == pytest.approx(80 + 0.2 * 4)
    limiter.limit = 150.0
    work(limiter, clock, "read", 0.11, at_once=150, rounds=1)
    work(limiter, clock, "read", 0.22, at_once=150, rounds=1)
    before = limiter.limit
    work(limiter, clock, "read", 0.22, at_once=150, rounds=1)
    fits = before * 1.5 / 2  # of answers that take twice as long as they did
    assert limiter.limit == pytest.approx(before + 0.2 * (fits + 4 - before), rel=0.01)


def test_a_limit_that_nobody_comes_near_stays() -> None:
    clock = Clock()
    limiter = Limiter(clock=clock)
    work(limiter, clock, "read", 0.11, at_once=20, rounds=100)
    assert limiter.limit == 80


@given(st.lists(st.tuples(st.sampled_from(["read", "write"]), st.floats(0.0001, 30), st.integers(1, 300)), max_size=60))
@settings(deadline=None)
def test_the_limit_keeps_its_bounds_whatever_answers_take(rounds: list[tuple[Kind, float, int]]) -> None:
    clock = Clock()
    limiter = Limiter(least=4, most=50, clock=clock)
    for kind, seconds, at_once in rounds:
        work(limiter, clock, kind, seconds, at_once=at_once, rounds=3)
        assert 4 <= limiter.limit <= 50


class LimiterMachine(RuleBasedStateMachine):
    """Requests come and go; a small limit that stays where it is."""

    def __init__(self) -> None:
        super().__init__()
        self.limiter = Limiter(least=20, most=20)
        self.busy: list[Kind] = []

    @rule(kind=st.sampled_from(KINDS), times=st.integers(1, 12))
    def come(self, kind: Kind, times: int) -> None:
        for _ in range(times):
            taken = sum(other in ("read", "write", "transfer") for other in self.busy)
            own = self.busy.count(kind)
            share = {"read": own < 13, "write": own < 7}.get(kind, False)
            expected = own < 8 if kind == "health" else taken < 20 or share
            assert admitted(self.limiter, kind, 1) == expected
            if expected:
                self.busy.append(kind)

    @precondition(lambda self: self.busy)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        self.limiter.leave(self.busy.pop(data.draw(st.integers(0, len(self.busy) - 1))), None)

    @invariant()
    def the_counts_are_right(self) -> None:
        assert self.limiter.busy == {kind: self.busy.count(kind) for kind in KINDS}


LimiterMachine.TestCase.settings = settings(max_examples=60, deadline=None)
TestLimiter = LimiterMachine.TestCase


async def test_a_place_is_free_before_the_client_knows_and_asks_again() -> None:
    limiter = Limiter()
    busy: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"1", "more_body": True})
        await send({"type": "http.response.body", "body": b"2"})

    async def send(message: Any) -> None:
        busy.append(limiter.busy["read"])

    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
    await Edge(app, limiter=limiter)(scope, None, send)
    assert busy == [1, 1, 0]
    assert limiter.busy["read"] == 0


async def test_a_refusal_comes_before_the_body_is_read_and_says_when_to_come_again() -> None:
    app = notes.create_app(
        notes.Settings(identity_keys=SIGNER.public_keys, access_log=False, concurrency_least=1, concurrency_most=1, trouble=True)
    )
    async with app.test_app() as running:
        client = running.test_client()
        slow = asyncio.create_task(client.get("/v1/slow?seconds=20"))
        for _ in range(1000):
            await asyncio.sleep(0.001)
            if 'requests_admitted{kind="read"} 1.0' in (await (await client.get("/metrics")).get_data(as_text=True)):
                break
        answers = await refused(app)
        assert answers[0]["status"] == 503
        headers = dict(answers[0]["headers"])
        assert (headers[b"retry-after"], headers[b"x-load-shed"]) == (b"1", b"1")
        assert msgspec.json.decode(answers[1]["body"])["type"] == "urn:roster:problem:overloaded"
        assert (await client.get("/livez")).status_code == 200
        assert 'requests_shed_total{kind="transfer"} 1.0' in await (await client.get("/metrics")).get_data(as_text=True)
        slow.cancel()
        await asyncio.wait([slow])


async def refused(app: Any) -> list[Any]:
    """What is answered to an upload; its body must not be asked for."""
    sent: list[Any] = []

    async def receive() -> Any:
        raise AssertionError("the body was read")

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/upload",
        "raw_path": b"/v1/upload",
        "query_string": b"",
        "headers": [(b"content-length", b"5")],
        "scheme": "http",
        "http_version": "1.1",
    }
    await app.asgi_app(scope, receive, send)
    return sent

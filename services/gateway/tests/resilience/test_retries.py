"""What is sent a second time, and how often."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.resilience.retries import RetryBudget, backoff, repeatable

KEY = (b"idempotency-key", b"k")


@pytest.mark.parametrize(
    ("method", "headers", "may"),
    [
        (b"GET", [], True),
        (b"HEAD", [], True),
        (b"POST", [KEY], True),
        (b"POST", [], False),
        (b"PUT", [KEY], False),
        (b"PATCH", [KEY], False),
        (b"DELETE", [KEY], False),
    ],
)
def test_only_what_does_no_harm_is_sent_twice(method: bytes, headers: list[tuple[bytes, bytes]], may: bool) -> None:
    assert repeatable(method, headers) is may


@pytest.mark.parametrize(("tries", "most"), [(1, 0.025), (2, 0.075), (3, 0.175), (4, 0.25), (9, 0.25)])
def test_a_pause_is_anywhere_up_to_its_bound(tries: int, most: float) -> None:
    drawn = [backoff(tries) for _ in range(2_000)]
    assert 0 <= min(drawn) < most / 10
    assert most * 0.9 < max(drawn) <= most


def test_a_fifth_of_what_is_under_way_may_be_second_tries_and_three_always() -> None:
    budget = RetryBudget()
    for active, most in ((0, 3), (15, 3), (20, 4), (64, 13)):
        budget.under_way = most - 1
        assert budget.allows(active)
        budget.under_way = most
        assert not budget.allows(active)


def test_failures_stop_second_tries_and_fifty_successes_bring_them_back() -> None:
    budget = RetryBudget()
    for _ in range(5):
        assert budget.allows(100)
        budget.failed()
    assert not budget.allows(100)
    for _ in range(100):
        budget.failed()
    for _ in range(50):
        budget.succeeded()
    assert not budget.allows(100)
    budget.succeeded()
    assert budget.allows(100)


@given(st.lists(st.booleans(), max_size=400))
def test_second_tries_never_exceed_what_the_bucket_pays(results: list[bool]) -> None:
    """Each first try that fails is tried again when allowed, and fails again."""
    budget = RetryBudget()
    again = 0
    for succeeded in results:
        if succeeded:
            budget.succeeded()
            continue
        budget.failed()
        if budget.allows(1):
            again += 1
            budget.failed()
    assert again <= 3 + 0.1 * sum(results)

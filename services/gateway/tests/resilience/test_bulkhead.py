"""Places: never more than there are, none lost, in order of arrival."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.resilience.bulkhead import Bulkhead
from gateway.resilience.refusals import Full


async def test_who_finds_no_place_in_time_is_refused() -> None:
    bulkhead = Bulkhead(1)
    assert bulkhead.try_enter()
    assert not bulkhead.try_enter()
    with pytest.raises(Full):
        await bulkhead.enter(0.01)
    assert (bulkhead.busy, bulkhead.refused) == (1, 1)


async def test_places_are_given_in_order_of_arrival() -> None:
    bulkhead = Bulkhead(1)
    await bulkhead.enter(1)
    order: list[int] = []

    async def wait(number: int) -> None:
        await bulkhead.enter(10)
        order.append(number)
        bulkhead.leave()

    waiting = [asyncio.create_task(wait(number)) for number in range(5)]
    await asyncio.sleep(0)
    assert not bulkhead.try_enter()
    bulkhead.leave()
    assert not bulkhead.try_enter(), "who has just come must not be served before those who wait"
    await asyncio.gather(*waiting)
    assert (order, bulkhead.busy) == ([0, 1, 2, 3, 4], 0)


async def test_a_place_that_came_in_the_moment_of_a_cancellation_is_not_lost() -> None:
    bulkhead = Bulkhead(1)
    await bulkhead.enter(1)
    waiting = asyncio.create_task(bulkhead.enter(10))
    await asyncio.sleep(0)
    bulkhead.leave()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert bulkhead.busy == 0


Step = st.tuples(st.sampled_from(["come", "leave", "cancel", "turn"]), st.integers(0, 50))


@given(st.integers(1, 4), st.lists(Step, max_size=60))
@settings(deadline=None, max_examples=200)
def test_whatever_happens_no_place_is_lost_or_given_twice(size: int, steps: list[tuple[str, int]]) -> None:
    async def play() -> None:
        bulkhead = Bulkhead(size)
        inside = 0
        most = 0
        doors: list[asyncio.Event] = []
        tasks: list[asyncio.Task[None]] = []

        async def visit(door: asyncio.Event) -> None:
            nonlocal inside, most
            await bulkhead.enter(60)
            inside += 1
            most = max(most, inside)
            try:
                await door.wait()
            finally:
                inside -= 1
                bulkhead.leave()

        for what, which in steps:
            if what == "come":
                doors.append(asyncio.Event())
                tasks.append(asyncio.create_task(visit(doors[-1])))
            elif what == "turn":
                await asyncio.sleep(0)
            elif tasks:
                (doors[which % len(doors)].set if what == "leave" else tasks[which % len(tasks)].cancel)()
        for door in doors:
            door.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (bulkhead.busy, inside) == (0, 0)
        assert most <= size
        assert all(bulkhead.try_enter() for _ in range(size))

    asyncio.run(play())

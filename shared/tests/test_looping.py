"""Work that goes on is ended, whatever a library makes of a cancellation."""

import asyncio

import structlog

from shared.exchange import Exchange, current
from shared.looping import Looped


class Stubborn(Looped):
    """Takes the first cancellation for a fault of what it waits for, and goes on."""

    def __init__(self) -> None:
        super().__init__("waiting", structlog.get_logger(), longest_pause=0.01)
        self.steps = 0

    async def step(self) -> bool:
        self.steps += 1
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            if self.steps == 1:
                raise TimeoutError from None
            raise
        return True


class OnWhoseBehalf(Looped):
    """Notes which request it works for."""

    def __init__(self) -> None:
        super().__init__("asking", structlog.get_logger(), longest_pause=0.01)
        self.found = asyncio.get_running_loop().create_future()

    async def step(self) -> bool:
        self.found.set_result(current.get())
        await asyncio.sleep(60)
        return True


async def test_work_that_goes_on_has_no_request_s_deadline() -> None:
    work = OnWhoseBehalf()
    current.set(Exchange())
    await work.start()
    assert await work.found is None
    await work.stop()


async def test_a_step_that_swallows_its_cancellation_is_ended_all_the_same() -> None:
    work = Stubborn()
    await work.start()
    await asyncio.sleep(0.01)
    await work.stop()
    assert not work.running
    assert work.steps == 2

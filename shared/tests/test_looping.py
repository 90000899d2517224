"""Work that goes on is ended, whatever a library makes of a cancellation."""

import asyncio

import structlog

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


async def test_a_step_that_swallows_its_cancellation_is_ended_all_the_same() -> None:
    work = Stubborn()
    await work.start()
    await asyncio.sleep(0.01)
    await work.stop()
    assert not work.running
    assert work.steps == 2

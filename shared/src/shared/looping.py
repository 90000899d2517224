"""Work that goes on for as long as the app runs: a step, and the next one. What fails is tried again, a little later each time."""

import asyncio
import random
from contextvars import Context
from typing import Any, Final

from shared.db import StoreError
from shared.feedclient import FeedFault

FIRST_PAUSE: Final = 0.1
ASK_AGAIN: Final = 1.0
"""Seconds after which what was told to end is told again."""

BREATH: Final = 0.01
"""Seconds after a step that did nothing: one that need not wait must not be done without end."""


class Looped:
    """A subclass says what a step is. `doing` is what it does, for the log; `longest_pause` in seconds is the most after a failure.

    A failure is logged when it comes after a success, and the next success after it.
    """

    expected: tuple[type[Exception], ...] = (FeedFault, StoreError)
    """Faults that are told in a line; any other comes with its traceback."""

    def __init__(self, doing: str, log: Any, *, longest_pause: float) -> None:
        self._doing, self._log = doing, log
        self._longest_pause = longest_pause
        self._task: asyncio.Task[None] | None = None
        self._failures = 0
        self.all_failures = 0
        self.reason: str | None = None
        """Why the last step failed; None when it did not."""

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._task is not None and not self._task.done()

    @property
    def failing(self) -> bool:
        """Whether the last step failed."""
        return self._failures > 0

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=self._doing, context=Context())  # on nobody's behalf, also in the log

    async def stop(self) -> None:
        """End it; a unit that is being written is finished. A library below a step may take a cancellation for a fault of its own, and the
        next step begin: so it is asked again.
        """
        while self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task], timeout=ASK_AGAIN)

    async def step(self) -> bool:
        """Do the next thing; whether there was anything to do."""
        raise NotImplementedError

    async def _run(self) -> None:
        while True:
            try:
                if not await self.step():
                    await asyncio.sleep(BREATH)
            except self.expected as error:
                await self._pause(str(error) or type(error).__name__)
            except Exception as error:  # whatever it is, the next attempt may fare better; without one it would never be done again
                self._log.error(f"{self._doing} failed", exc_info=error)
                await self._pause(type(error).__name__)
            else:
                if self._failures:
                    self._log.info(f"{self._doing} goes on again", failures=self._failures)
                self._failures, self.reason = 0, None

    async def _pause(self, reason: str) -> None:
        if not self._failures:
            self._log.warning(f"{self._doing} does not go on at the moment", reason=reason)
        self.reason = reason
        self._failures += 1
        self.all_failures += 1
        longest = min(self._longest_pause, FIRST_PAUSE * 2 ** min(self._failures, 20))
        await asyncio.sleep(random.uniform(longest / 2, longest))  # noqa: S311 - spreads attempts, keeps no secret

"""The server's side of a connection: writes that are gathered, and an end with who takes nothing of them."""

import asyncio
from typing import Final

from shared.gathering import Gathered

PATIENCE: Final = 30.0
"""Seconds for which a client may take nothing while something waits for it."""


class Taken(Gathered):
    """A transport that is aborted when its other side stops taking what is written; without that, closing it waits for them for ever.

    `watch` it when it takes no more (`pause_writing`); closing does so by itself.
    """

    __slots__ = ("_loop", "_timer")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(transport, loop)
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None

    def watch(self) -> None:
        """Look again in a while whether something was taken, as long as something waits."""
        waits = self.get_write_buffer_size()
        if waits and self._timer is None:
            self._timer = self._loop.call_later(PATIENCE, self._look, self.written - waits)

    def close(self) -> None:
        """Close when what was written is taken, or nobody takes it."""
        if not self.is_closing():
            self.flush()
            self.watch()
        super().close()

    def lost(self) -> None:
        """The connection is no more: look no longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self, taken: int) -> None:
        self._timer = None
        if self.written - self.get_write_buffer_size() == taken:
            self.abort()
        else:
            self.watch()

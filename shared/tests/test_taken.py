"""Who takes nothing of what is written is not waited for for ever."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from shared.taken import PATIENCE, Taken


class Loop:
    """Only what is asked of it: to call one thing later."""

    def __init__(self) -> None:
        self.due: Callable[[], None] | None = None

    def call_later(self, delay: float, callback: Callable[..., None], *args: Any) -> "Loop":
        assert (delay, self.due) == (PATIENCE, None)
        self.due = lambda: callback(*args)
        return self

    def cancel(self) -> None:
        self.due = None

    def turn(self) -> None:
        """The time is over."""
        due, self.due = self.due, None
        assert due is not None
        due()


class Socket(asyncio.Transport):
    """Holds what is written until the other side takes it."""

    def __init__(self) -> None:
        super().__init__()
        self.holds = 0
        self.closing = self.aborted = False

    def write(self, data: Any) -> None:
        self.holds += len(data)

    def get_write_buffer_size(self) -> int:
        return self.holds

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = self.aborted = True


def full(socket: Socket, loop: Loop) -> Taken:
    taken = Taken(socket, loop)  # type: ignore[arg-type]
    taken.write(b"x" * 100_000)
    return taken


@pytest.mark.parametrize("end", [Taken.watch, Taken.close], ids=["full", "closed"])
async def test_who_takes_nothing_is_cut_off(end: Callable[[Taken], None]) -> None:
    socket, loop = Socket(), Loop()
    end(full(socket, loop))
    assert not socket.aborted
    loop.turn()
    assert (socket.aborted, loop.due) == (True, None)


@pytest.mark.parametrize("end", [Taken.watch, Taken.close], ids=["full", "closed"])
async def test_who_takes_slowly_may_and_is_cut_off_when_they_stop(end: Callable[[Taken], None]) -> None:
    socket, loop = Socket(), Loop()
    taken = full(socket, loop)
    end(taken)
    for _ in range(5):
        socket.holds -= 1
        loop.turn()
        assert not socket.aborted
    loop.turn()
    assert socket.aborted


async def test_who_takes_as_much_as_is_written_is_no_one_who_takes_nothing() -> None:
    socket, loop = Socket(), Loop()
    taken = full(socket, loop)
    taken.watch()
    for _ in range(5):
        socket.holds -= 50_000
        taken.write(b"x" * 50_000)
        taken.watch()
        loop.turn()
        assert not socket.aborted


async def test_who_has_taken_all_is_left_alone() -> None:
    socket, loop = Socket(), Loop()
    taken = full(socket, loop)
    taken.watch()
    socket.holds = 0
    loop.turn()
    assert (socket.aborted, loop.due) == (False, None)
    taken.close()
    assert loop.due is None


async def test_a_lost_connection_is_not_looked_at() -> None:
    socket, loop = Socket(), Loop()
    taken = full(socket, loop)
    taken.close()
    taken.lost()
    assert loop.due is None
    taken.close()
    assert loop.due is None

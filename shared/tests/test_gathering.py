"""Writes that wait for the end of a turn: the same bytes in the same order, fewer writes, and nothing kept back from who must notice."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.gathering import MOST, Gathered


class Transport(asyncio.Transport):
    """Takes down what is done to it; of two of them, in one list."""

    def __init__(self, done: list[Any]) -> None:
        super().__init__()
        self.done = done
        self.closed = False

    def is_closing(self) -> bool:
        return self.closed

    def write(self, data: Any) -> None:
        assert not self.closed
        self.done.append(bytes(data))

    def write_eof(self) -> None:
        self.done.append("eof")

    def close(self) -> None:
        self.done.append("close")
        self.closed = True

    def abort(self) -> None:
        self.done.append("abort")
        self.closed = True


def gathered() -> tuple[Gathered, list[Any]]:
    done: list[Any] = []
    return Gathered(Transport(done), asyncio.get_running_loop()), done


async def test_the_writes_of_a_turn_are_one_at_its_end() -> None:
    done: list[Any] = []
    one, other = (Gathered(Transport(done), asyncio.get_running_loop()) for _ in range(2))
    one.write(b"a")
    other.write(b"1")
    one.write(b"b")
    assert done == []
    await asyncio.sleep(0)
    assert done == [b"ab", b"1"]
    other.write(b"2")
    await asyncio.sleep(0)
    assert done == [b"ab", b"1", b"2"]


@pytest.mark.parametrize(
    ("end", "left"),
    [(Gathered.close, [b"a", "close"]), (Gathered.write_eof, [b"a", "eof"]), (Gathered.abort, ["abort"])],
    ids=["close", "eof", "abort"],
)
async def test_what_ends_a_connection_comes_behind_what_was_written(end: Callable[[Gathered], None], left: list[Any]) -> None:
    transport, done = gathered()
    transport.write(b"a")
    end(transport)
    await asyncio.sleep(0)
    assert done == left


async def test_what_waits_for_a_connection_that_was_lost_is_dropped() -> None:
    lost: list[Any] = []
    below = Transport(lost)
    one, (other, done) = Gathered(below, asyncio.get_running_loop()), gathered()
    one.write(b"a")
    other.write(b"b")
    below.closed = True
    await asyncio.sleep(0)
    assert (lost, done) == ([], [b"b"])


async def test_a_connection_that_can_not_be_written_to_silences_no_other() -> None:
    class Broken(Transport):
        def write(self, data: Any) -> None:
            raise RuntimeError("not writable")

    loop, below = asyncio.get_running_loop(), Broken([])
    told: list[Any] = []
    loop.set_exception_handler(lambda _, context: told.append(context["exception"]))
    broken, (other, done) = Gathered(below, loop), gathered()
    broken.write(b"a")
    other.write(b"b")
    await asyncio.sleep(0)
    other.write(b"c")
    await asyncio.sleep(0)
    assert done == [b"b", b"c"]
    assert below.done == ["abort"]
    assert [str(error) for error in told] == ["not writable"]


@pytest.mark.parametrize("kind", [bytearray, memoryview])
async def test_what_waits_is_the_callers_no_more(kind: Callable[[bytearray], Any]) -> None:
    transport, done = gathered()
    theirs = bytearray(b"one")
    transport.write(kind(theirs))
    theirs[:] = b"two"
    transport.write(kind(theirs))
    await asyncio.sleep(0)
    assert done == [b"onetwo"]
    assert bytes(theirs) == b"two"


Step = bytes | str
STEPS = st.lists(st.one_of(st.binary(max_size=4), st.just(b"x" * MOST), st.just("turn")), max_size=20)


def bytes_of(steps: Sequence[Step]) -> bytes:
    return b"".join(step for step in steps if isinstance(step, bytes))


@given(STEPS, st.booleans())
def test_the_same_bytes_come_in_the_same_order(steps: list[Step], half: bool) -> None:
    async def run() -> list[Any]:
        transport, done = gathered()
        for at, step in enumerate(steps):
            if isinstance(step, bytes):
                transport.write(step)
            else:
                await asyncio.sleep(0)
            assert len(bytes_of(steps[: at + 1])) - len(bytes_of(done)) <= MOST
        if half:
            transport.write_eof()
        transport.close()
        return done

    done = asyncio.run(run())
    assert bytes_of(done) == bytes_of(steps)
    assert [part for part in done if isinstance(part, str)] == (["eof", "close"] if half else ["close"])
    assert done[-1] == "close"


async def test_who_never_waits_is_told_that_nobody_reads() -> None:
    """A turn that sends without end: its connection must be paused within it."""

    class Side(asyncio.Protocol):
        paused = False

        def pause_writing(self) -> None:
            self.paused = True

    ours, theirs = socket.socketpair()
    with theirs:
        loop = asyncio.get_running_loop()
        below, side = await loop.create_connection(Side, sock=ours)
        transport = Gathered(below, loop)
        for _ in range(100_000):
            transport.write(b"x" * 100)
            if side.paused:
                break
        assert side.paused
        transport.abort()

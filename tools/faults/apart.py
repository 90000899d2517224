"""Work in a process of its own: who measures must not wait for the interpreter, or the core, of who is measured or attacks it."""

import contextlib
import multiprocessing
import os
from collections.abc import Callable, Coroutine
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from typing import Any, Final, Generic, TypeVar

import uvloop

T = TypeVar("T")
SPAWN: Final = multiprocessing.get_context("spawn")
AHEAD: Final = 5
"""By how much the process's nice value is lower than ours, where we may: it stands for clients on machines of their own."""
PATIENCE: Final = 60.0


class Apart(Generic[T]):
    """Runs ``work(stop, *args)`` from the moment in which this is made; `stop` is an event that `result` sets. All of it can be pickled."""

    def __init__(self, work: Callable[..., Coroutine[Any, Any, T]], *args: Any) -> None:
        self._stop = SPAWN.Event()
        self._told, told = SPAWN.Pipe(duplex=False)
        self._process = SPAWN.Process(target=_work, args=(told, self._stop, work, args), daemon=True)
        self._process.start()
        told.close()
        if not self._told.poll(PATIENCE):
            raise TimeoutError("the process did not begin")
        self._told.recv()

    def wait(self, timeout: float = PATIENCE) -> T:
        """What the work comes to by itself. Raises RuntimeError with what it raised, and TimeoutError."""
        if not self._told.poll(timeout):
            self._process.kill()
            raise TimeoutError("the process did not end")
        found: tuple[T, str] = self._told.recv()
        self._process.join()
        if found[1]:
            raise RuntimeError(found[1])
        return found[0]

    def result(self, timeout: float = PATIENCE) -> T:
        """What it comes to when it is told to end."""
        self._stop.set()
        return self.wait(timeout)


def apart(work: Callable[..., Coroutine[Any, Any, T]], *args: Any, timeout: float = PATIENCE) -> T:
    """What ``work(*args)`` comes to in a process of its own."""
    found: Apart[T] = Apart(_without_stop, work, args)
    return found.wait(timeout)


async def _without_stop(stop: Event, work: Callable[..., Coroutine[Any, Any, T]], args: tuple[Any, ...]) -> T:
    return await work(*args)


def _work(told: Connection, stop: Event, work: Callable[..., Coroutine[Any, Any, T]], args: tuple[Any, ...]) -> None:
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0) - AHEAD)
    told.send(None)
    try:
        told.send((uvloop.run(work(stop, *args)), ""))
    except Exception as error:
        told.send((None, f"{type(error).__name__}: {error}"))

"""What processes hold when nothing is asked of them, so that whatever a failure leaves behind is seen."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from shared.testing.processes import Process


@dataclass(frozen=True)
class Held:
    """What one service holds; sockets and tasks are its process's own."""

    requests: int
    tasks: int
    sockets: int

    def over(self, other: "Held", slack: int) -> "Held":
        """What is too much, beside what it held another time; connections that are kept for later are within `slack`."""
        return Held(
            max(0, self.requests - other.requests),
            max(0, self.tasks - other.tasks - slack),
            max(0, self.sockets - other.sockets - slack),
        )


NOTHING = Held(0, 0, 0)


def figures(url: str) -> dict[str, float]:
    """A service's metrics that have no labels, by name."""
    text = httpx.get(f"{url}/metrics", timeout=20).raise_for_status().text
    return {name: float(value) for name, value in re.findall(r"^(\w+) (\S+)$", text, flags=re.MULTILINE)}


def held(process: Process) -> Held:
    """What a running service holds now."""
    found = figures(process.url)
    sockets = sum(1 for fd in Path(f"/proc/{process.pid}/fd").iterdir() if _is_socket(fd))
    return Held(int(found["http_requests_in_flight"]), int(found["asyncio_tasks"]), sockets)


class Rest:
    """The services as they are now, which is at rest; `wait` comes back when they are so again."""

    def __init__(self, processes: Sequence[Process], *, slack: int = 6) -> None:
        self._processes = list(processes)
        self._slack = slack
        self._first = {process.name: held(process) for process in processes}

    def left(self) -> dict[str, Held]:
        """What services hold beyond that."""
        over = {process.name: held(process).over(self._first[process.name], self._slack) for process in self._processes}
        return {name: held for name, held in over.items() if held != NOTHING}

    def wait(self, within: float = 30) -> None:
        """Returns when nothing is left. Raises AssertionError saying what is, when that lasts too long."""
        until = time.monotonic() + within
        while left := self.left():
            assert time.monotonic() < until, f"left behind after {within} s: {left}"
            time.sleep(0.05)


def _is_socket(fd: Path) -> bool:
    try:
        return str(fd.readlink()).startswith("socket:")
    except OSError:  # closed meanwhile
        return False

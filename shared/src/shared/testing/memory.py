"""How much memory a process takes while something happens."""

import threading
from pathlib import Path
from types import TracebackType
from typing import Self


def resident(pid: int) -> int:
    """Bytes of a process that are in memory and its own or mapped from files (VmRSS)."""
    for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


class Growth:
    """Samples the memory of a process ten times a second from a thread: ``with Growth(pid) as growth: …; growth.bytes``."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._first = self._most = resident(pid)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    @property
    def bytes(self) -> int:
        """The most that it had over what it had at first."""
        return self._most - self._first

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._done.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._done.wait(0.1):
            self._most = max(self._most, resident(self._pid))

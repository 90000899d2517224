"""What the machine tells: cores, memory and CPU time of a process, and what it is."""

import os
import platform
import sqlite3
import threading
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Self

_TICK = os.sysconf("SC_CLK_TCK")
SERVER_CORE, LOAD_CORE = 0, min(1, (os.cpu_count() or 1) - 1)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process with all of its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


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


def describe() -> list[str]:
    """What a reader of the figures must know of the machine and of the software."""
    cpus = [
        line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines() if line.startswith("model name")
    ]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    names = ("quart", "uvicorn", "uvloop", "httptools", "msgspec", "fastapi", "pydantic", "sqlalchemy", "aiosqlite", "httpx")
    return [
        f"{len(cpus)} cores of {cpus[0] if cpus else platform.machine()}, {memory:.0f} GiB, {platform.system()} {platform.release()}",
        f"{platform.python_implementation()} {platform.python_version()}, SQLite {sqlite3.sqlite_version}",
        ", ".join(f"{name} {version(name)}" for name in names),
    ]

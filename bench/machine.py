"""What the machine tells: cores, memory and CPU time of a process, and what it is."""

import os
import platform
import sqlite3
from importlib.metadata import version
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
SERVER_CORE, LOAD_CORE = 0, min(1, (os.cpu_count() or 1) - 1)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process with all of its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def describe() -> list[str]:
    """What a reader of the figures must know of the machine and of the software."""
    cpus = [
        line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines() if line.startswith("model name")
    ]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    names = ("quart", "uvicorn", "uvloop", "httptools", "msgspec", "fastapi", "pydantic", "sqlalchemy", "aiosqlite", "httpx")
    kernel = ".".join(platform.release().split(".")[:2])
    return [
        f"{len(cpus)} cores of {cpus[0] if cpus else platform.machine()}, {memory:.0f} GiB, {platform.system()} {kernel}",
        f"{platform.python_implementation()} {platform.python_version()}, SQLite {sqlite3.sqlite_version}",
        ", ".join(f"{name} {version(name)}" for name in names),
    ]

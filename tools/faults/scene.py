"""What the scenarios share: how much is done, servers that are started and ended, and the form of a figure."""

import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from shared.testing.processes import Roster


@dataclass(frozen=True)
class Scale:
    """How much is done; times in seconds."""

    stop: float = 10.0
    kills: int = 20
    slow_clients: int = 1_000
    slow: float = 10.0
    overload: float = 30.0
    settle: float = 5.0
    """The time for what is compared with: an unloaded or a peak rate."""
    restarts: int = 20
    rate: float = 200.0
    log_ins: int = 1_000
    pairs: int = 200
    revocations: int = 20
    requests: int = 20
    """To be sent under each fault."""
    rounds: int = 5
    lame_duck: int = 2
    """As by default."""


QUICK = Scale(0.5, 1, 20, 0.5, 1.0, 0.5, 1, 20.0, 20, 3, 2, 2, 1, 1)


@dataclass(frozen=True)
class Figure:
    """What a scenario found, in one line, and whether that is what was aimed at."""

    line: str
    reached: bool


class Broken(Exception):
    """Something happened that must not, however slow the machine is."""


class Missing(Exception):
    """This machine lacks a program that the scenario needs."""


class Scene:
    """One scenario's folder and servers; leaving the block ends those."""

    def __init__(self, folder: Path, scale: Scale, *, write: bool = False) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.folder = folder
        self.scale = scale
        self.write = write
        """Whether what is found goes into the documentation."""
        self.stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stack.close()

    def roster(self, env: Mapping[str, str] | None = None, *, name: str = "roster") -> Roster:
        """The three services, not started."""
        return self.stack.enter_context(Roster(self.folder / name, env=env))

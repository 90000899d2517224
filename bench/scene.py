"""What the scenarios share: how much is measured, and servers that are built, pinned and ended."""

import itertools
import shutil
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
from sqlalchemy import create_engine, insert

from bench.machine import SERVER_CORE
from bench.peer.models import Base, Employee
from shared.testing.processes import Process, Roster
from tools import synthetic

SEED = 7
READ_POOL, WRITE_POOL = 20, 1
"""Connections of the peer's pool: of 1, 2, 5, 10 and 20, the number that served it best."""


@dataclass(frozen=True)
class Scale:
    """How much is measured; seconds for one round of one side."""

    rounds: int = 5
    seconds: float = 4.0
    warmup: float = 1.0
    small: int = 1_000
    medium: int = 100_000
    large: int = 1_000_000
    deletions: int = 100
    writes: int = 500
    """Writes a second while the lag is measured."""
    pace: int = 8 * 2**20
    """Bytes a second that the slow reader of an export takes."""
    stall: float = 5.0
    """Seconds for which it takes nothing first."""


QUICK = Scale(rounds=1, seconds=0.3, warmup=0.1, small=60, medium=120, large=240, deletions=3, writes=40, stall=0.2)


@dataclass
class Figure:
    """One line of the table."""

    name: str
    what: str
    target: str
    ours: str
    peer: str
    ratio: str
    reached: bool
    notes: list[str] = field(default_factory=list)

    @classmethod
    def unmeasured(cls, name: str, what: str, lacking: Sequence[str]) -> Self:
        """The line of a scenario whose peers are not installed."""
        return cls(name, what, "–", "–", "–", "–", False, [f"not measured for want of {', '.join(lacking)}: make bench-peers"])


class Scene:
    """One run: a folder for its databases, and the servers that were started; leaving the block ends those."""

    def __init__(self, folder: Path, scale: Scale) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.scale = scale
        self._folder = folder
        self._numbers = itertools.count(1)
        self._stack = ExitStack()
        self._built: dict[int, Path] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    def subfolder(self, name: str) -> Path:
        """A new folder."""
        folder = self._folder / f"{next(self._numbers)}-{name}"
        folder.mkdir()
        return folder

    def has(self, rows: int, database: Path) -> None:
        """Tell that there is a database of ours with this many people, so that none must be built."""
        self._built[rows] = database

    def roster(self, *, rows: int = 0) -> Roster:
        """Our services, not started, employees on the server's core; with ``rows``, on a copy of a database of so many people."""
        roster = self._stack.enter_context(Roster(self.subfolder("ours")))
        roster.employees.core = SERVER_CORE
        roster.gateway.env["GATEWAY_RATE_LIMIT"] = "1000000000"  # counted, and never reached
        if rows:
            shutil.copyfile(self._database(rows), roster.database("employees"))
        return roster

    def peer(self, rows: int, pool: int) -> Process:
        """The peer's employees with as many people and so many connections, ready."""
        folder = self.subfolder("peer")
        build_peer(folder / "employees.db", rows)
        env = {"PEER_DATABASE": str(folder / "employees.db"), "POOL_SIZE": str(pool)}
        return self.uvicorn("bench.peer.employees:app", folder, env)

    def uvicorn(self, app: str, folder: Path, env: dict[str, str]) -> Process:
        """An app of the peer's on the server's core, ready."""
        process = Process("peer", [], folder, env=env)
        options = "--loop uvloop --http httptools --no-access-log --log-level warning --port"
        process.command = [sys.executable, "-m", "uvicorn", app, *options.split(), str(process.port)]
        process.core = SERVER_CORE
        return self.started(process)

    def started(self, process: Process) -> Process:
        """Start a process, wait until it is ready, and end it with the block."""
        self._stack.callback(process.kill)
        process.start()
        process.wait_ready()
        return process

    def _database(self, rows: int) -> Path:
        if rows not in self._built:
            with Roster(self.subfolder(f"built-{rows}")) as roster:
                roster.start("employees")
                import_people(roster, rows)
                roster.employees.stop()
                self.has(rows, roster.database("employees"))
            # What the last connection left in the WAL would be missing from a copy.
            sqlite3.connect(self._built[rows]).execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return self._built[rows]


def people(rows: int) -> Iterator[bytes]:
    """The import of an invented organisation as CSV, in pieces."""
    yield (",".join(synthetic.EMPLOYEE_COLUMNS) + "\n").encode()
    piece: list[str] = []
    for row in synthetic.employees(rows, SEED):
        piece.append(",".join(map(str, row)))
        if len(piece) == 500:
            yield ("\n".join(piece) + "\n").encode()
            piece.clear()
    yield "".join(f"{line}\n" for line in piece).encode()


def import_people(roster: Roster, rows: int) -> None:
    """Import an organisation at the employees service; every row must be taken."""
    headers = {"Authorization": roster.bearer("employees"), "Content-Type": "text/csv"}
    answer = httpx.post(f"{roster.employees.url}/v1/employees/import", content=people(rows), headers=headers, timeout=3_600)
    assert answer.status_code == 200, answer.text
    report = answer.json()
    assert (report["created"], report["refused"]) == (rows, 0), str(report)[:1000]


def build_peer(path: Path, rows: int) -> None:
    """The peer's database with the same people."""
    engine = create_engine(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL").all()
        for piece in _pieces(rows):
            connection.execute(insert(Employee), piece)
    engine.dispose()


def _pieces(rows: int) -> Iterable[list[dict[str, object]]]:
    fixed = {"version": 1, "created_at": "2026-11-22T07:49:09.123456Z", "updated_at": "2026-11-22T07:49:09.123456Z"}
    ids: dict[object, int] = {}
    piece: list[dict[str, object]] = []
    for number, row in enumerate(synthetic.employees(rows, SEED), 1):
        values: dict[str, object] = {name: cell or None for name, cell in zip(synthetic.EMPLOYEE_COLUMNS, row, strict=True)}
        ids[values["username"]] = number
        manager = values.pop("manager")
        piece.append({**values, **fixed, "id": number, "manager_id": ids[manager] if manager else None})
        if len(piece) == 5_000:
            yield piece
            piece = []
    if piece:
        yield piece

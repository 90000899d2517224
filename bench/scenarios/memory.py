"""A whole directory in and out of a service: how much memory the process takes over what it had before."""

import time
from collections.abc import Iterator

import httpx

from bench.scene import Figure, Scene, people
from shared.testing.memory import Growth
from shared.testing.processes import Roster

MOST = 100 * 2**20


def measure(scene: Scene) -> list[Figure]:
    rows = scene.scale.large
    with scene:
        roster = scene.roster()
        roster.start("employees")
        _warm(roster)
        figures = [_import(roster, rows), _export(scene, roster, rows)]
        roster.employees.stop()
        scene.has(rows, roster.database("employees"))
    return figures


def _warm(roster: Roster) -> None:
    """What every process has loaded after its first requests is none of the import's."""
    headers = {"Authorization": roster.bearer("employees")}
    for target in ("/v1/employees", "/v1/employees/export"):
        httpx.get(roster.employees.url + target, headers=headers).raise_for_status()


def _import(roster: Roster, rows: int) -> Figure:
    headers = {"Authorization": roster.bearer("employees"), "Content-Type": "text/csv"}
    started = time.perf_counter()
    with Growth(roster.employees.pid) as growth:
        answer = httpx.post(f"{roster.employees.url}/v1/employees/import", content=people(rows), headers=headers, timeout=3_600)
    seconds = time.perf_counter() - started
    report = answer.raise_for_status().json()
    assert (report["created"], report["refused"]) == (rows, 0), str(report)[:1_000]
    size = sum(path.stat().st_size for path in roster.folder.glob("employees.db*")) / rows
    notes = [f"{seconds:,.1f} s, {seconds / rows * 1e6:,.0f} µs a row, {size:,.0f} bytes of database a row"]
    return _figure("import", f"{rows:,} employees imported at the service", f"{rows / seconds:,.0f} rows/s", growth, notes)


def _export(scene: Scene, roster: Roster, rows: int) -> Figure:
    headers = {"Authorization": roster.bearer("employees"), "Accept": "text/csv"}
    started = time.perf_counter()
    lines, size = 0, 0
    with (
        Growth(roster.employees.pid) as growth,
        httpx.stream("GET", f"{roster.employees.url}/v1/employees/export", headers=headers, timeout=600) as answer,
    ):
        answer.raise_for_status()
        for piece in _slowly(answer.iter_raw(64 * 1024), scene.scale.pace, scene.scale.stall):
            lines += piece.count(b"\n")
            size += len(piece)
    seconds = time.perf_counter() - started
    assert lines == rows + 1, f"{lines:,} lines instead of {rows + 1:,}"
    notes = [f"{size / 2**20:,.0f} MB to a reader that takes nothing for {scene.scale.stall} s, then {scene.scale.pace / 2**20:.0f} MB/s"]
    return _figure("export", f"{rows:,} employees exported to a slow reader", f"{rows / seconds:,.0f} rows/s", growth, notes)


def _slowly(pieces: Iterator[bytes], pace: int, stall: float) -> Iterator[bytes]:
    time.sleep(stall)
    started, taken = time.perf_counter(), 0
    for piece in pieces:
        yield piece
        taken += len(piece)
        time.sleep(max(0.0, taken / pace - (time.perf_counter() - started)))


def _figure(name: str, what: str, ours: str, growth: Growth, notes: list[str]) -> Figure:
    return Figure(name, what, "≤ 100 MB more", ours, "–", f"+{growth.bytes / 2**20:,.0f} MB", growth.bytes <= MOST, notes)

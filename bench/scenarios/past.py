"""Reads of the past beside those of the present, of a directory whose people have ten versions each; what keeping them costs a write;
and how fast the feed is read.
"""

import asyncio
import json
import random
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import insert

from bench.load import Load
from bench.rounds import Side, costs, interleave, median_of, rate, ratio, times
from bench.scenarios.reads import PAGES, Server, walk
from bench.scenarios.writes import person
from bench.scene import Figure, Scene
from employees.models import WRITABLE, computed, employees
from employees.store import people, rules
from shared.changes import Author
from shared.db import Connection, Database, Query
from shared.migrate import upgrade

VERSIONS = 10
AUTHOR = Author("account:1", "0f28fbe15a35cdf45ce996ce293a9d60", "admin")
INSTANTS = 50
FEED = 50_000
WRITES = 2.0
_BARE = Query(insert(employees))


def measure(scene: Scene) -> list[Figure]:
    rows = scene.scale.medium
    with scene:
        roster = scene.roster(rows=rows)
        grow(roster.database("employees"), rows)
        moments = instants(roster.database("employees"), rows)
        roster.start("employees")
        server = Server("employees", roster.employees, rows, lambda: {"Authorization": roster.bearer("employees")}, "cursor")
        figures = [
            *(_beside_present(scene, server, moments, *which) for which in READS),
            _feed(scene, server),
        ]
    return [*figures, _writes(scene)]


def grow(database: Path, rows: int) -> None:
    """Change anybody, again and again, until there are ten versions for each."""
    asyncio.run(_grow(f"sqlite:///{database}", rows))


async def _grow(url: str, rows: int) -> None:
    dice = random.Random(3)
    db = Database(url)
    await db.open()
    step = min(500, rows)
    for turn in range(rows * (VERSIONS - 1) // step):
        await db.write(partial(_change, ids=dice.sample(range(1, rows + 1), step), location=f"Desk {turn}"))
    await db.close()


def _change(conn: Connection, ids: list[int], location: str) -> None:
    for id_ in ids:
        people.RECORDS.change(conn, people.RECORDS.get(conn, id_) or {}, {"location": location}, AUTHOR)


def instants(database: Path, rows: int) -> list[str]:
    """Times at which something happened after everybody was there."""
    connection = sqlite3.connect(database)
    try:
        (last,) = connection.execute("SELECT max(seq) FROM changes").fetchone()
        places = [random.Random(7 + number).randint(rows, last) for number in range(INSTANTS)]
        return [connection.execute("SELECT at FROM changes WHERE seq = ?", (place,)).fetchone()[0] for place in places]
    finally:
        connection.close()


def _records(server: Server, as_of: list[str]) -> list[tuple[str, int]]:
    """Anyone's record, at any of the times."""
    dice = random.Random(11)
    ids = dice.choices(range(1, server.rows + 1), k=5_003)
    return [(f"/v1/employees/{id_}" + (f"?as_of={dice.choice(as_of)}" if as_of else ""), 1) for id_ in ids]


def _pages(server: Server, as_of: list[str], query: str = "") -> list[tuple[str, int]]:
    """The first pages of a list, and the first page at each of the times."""
    if not as_of:
        return walk(server, query)
    return [found for at in as_of for found in walk(server, f"{query}&as_of={at}", PAGES // len(as_of))]


def _filtered(server: Server, as_of: list[str]) -> list[tuple[str, int]]:
    return _pages(server, as_of, "&department=Engineering")


Targets = Callable[[Server, list[str]], list[tuple[str, int]]]
READS: tuple[tuple[str, Targets, bool, float], ...] = (
    ("a record of the past", _records, False, 2.5),
    ("a page of 50 by id", _pages, False, 8.0),
    ("a page of 50 of a department", _filtered, False, 25.0),
    ("a record as of today", _records, True, 1.5),
    ("a page of 50 as of today", _pages, True, 1.5),
)


def _beside_present(scene: Scene, server: Server, moments: list[str], what: str, targets: Targets, today: bool, most: float) -> Figure:
    as_of = [datetime.now(UTC).date().isoformat()] if today else moments
    then, now = (_asking(server, targets(server, when)) for when in (as_of, []))
    past, present = interleave([then, now], scene.scale)
    cpu = ratio(past, present, lambda result: result.cpu_each)
    notes = [costs("then", past), costs("now", present)]
    what = f"{what}, {VERSIONS * server.rows:,} versions"
    return Figure("time", what, f"≤ {most} × CPU", rate(past), f"now: {rate(present)}", times(cpu), cpu[0] <= most, notes)


def _asking(server: Server, targets: list[tuple[str, int]]) -> Side:
    """Any of some targets; each answer must have so many people."""
    order = random.Random(13).choices(range(len(targets)), k=5_003)

    def load() -> Load:
        requests = [server.get(target) for target, _ in targets]
        return Load(
            server.process.port,
            lambda n: requests[order[n % len(order)]],
            lambda n, status, body: status == 200 and body.count(b'"username":') == targets[order[n % len(order)]][1],
        )

    return Side(server.name, server.process, load)


def _feed(scene: Scene, server: Server) -> Figure:
    """The feed in batches of a thousand, from one place to another, by one reader after the other on four connections."""
    epoch = json.loads(_ask(server, "/v1/changes?limit=1"))[0]["id"].partition(".")[0]
    last = server.rows * VERSIONS - 1_000
    starts = random.Random(17).choices(range(max(1, last)), k=997)

    def load() -> Load:
        requests = [server.get(f"/v1/changes?limit=1000&after={epoch}.{start}") for start in starts]
        return Load(server.process.port, lambda n: requests[n % len(requests)], lambda n, status, body: status == 200, 4)

    (results,) = interleave([Side("feed", server.process, load)], scene.scale)
    size = min(1_000, server.rows * VERSIONS)
    a_second = size / median_of(results, lambda result: result.cpu_each)
    wall = f"{size * median_of(results, lambda result: result.rate):,.0f}/s of time"
    what = f"changes read in batches of {size:,}"
    return Figure("feed", what, f"≥ {FEED:,}/s of CPU", f"{a_second:,.0f}/s", "–", wall, a_second >= FEED)


def _ask(server: Server, target: str) -> bytes:
    import httpx

    return httpx.get(server.process.url + target, headers=server.headers()).raise_for_status().content


def _writes(scene: Scene) -> Figure:
    """New people with versions and log, and without, in this process: CPU of a write, in groups as they form by themselves."""
    count = scene.scale.medium // 10
    folder = scene.subfolder("writes")
    spent = {
        name: median(asyncio.run(_create(folder / f"{name}-{turn}.db", unit, count)) for turn in range(scene.scale.rounds))
        for name, unit in (("with", _add), ("without", _add_bare))
    }
    times_more = spent["with"] / spent["without"]
    ours, bare = (f"{name}: {cpu * 1e6:,.0f} µs" for name, cpu in spent.items())
    what = "CPU of a create with versions and log, beside one without"
    return Figure("writes", what, f"≤ {WRITES} ×", ours, bare, f"{times_more:.2f} ×", times_more <= WRITES)


async def _create(path: Path, unit: Callable[..., None], count: int) -> float:
    upgrade(f"sqlite:///{path}", "employees")
    db = Database(f"sqlite:///{path}")
    await db.open()
    await db.write(lambda conn: [people.add(conn, _values(0, number), AUTHOR) for number in range(41)])
    started = time.process_time()
    for group in _groups(range(100, 100 + count), 64):
        await asyncio.gather(*(db.write(partial(unit, values=_values(1, number), id_=number)) for number in group))
    spent = time.process_time() - started
    await db.close()
    return spent / count


def _groups(numbers: range, size: int) -> Iterator[range]:
    return (numbers[start : start + size] for start in range(0, len(numbers), size))


def _values(run: int, number: int) -> dict[str, Any]:
    return {**dict.fromkeys(WRITABLE), "status": "active", **person(run, number), "manager_id": 1 + number % 40 if run else None}


def _add(conn: Connection, values: Mapping[str, Any], id_: int) -> None:
    people.add(conn, values, AUTHOR)


def _add_bare(conn: Connection, values: Mapping[str, Any], id_: int) -> None:
    """The same row, words and checks, and nothing of what it was before or who did it."""
    rules.check(conn, values, None)
    now = conn.now()
    row = {**values, "id": id_, "version": 1, "created_at": now, "updated_at": now}
    row |= computed(row)
    conn.run(_BARE, **row)
    people.write_words(conn, id_, "", row["words"])

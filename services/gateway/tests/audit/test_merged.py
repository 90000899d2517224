"""Pages of several logs: together they are all rows, once, in the order of time, while others write."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.audit.merged import Merged, Rows, Sort
from shared.audit import AuditRow

NAMES = ("employees", "gateway", "teams")


def row(seq: int, time: int) -> AuditRow:
    return AuditRow(f"e.{seq}", seq, f"{time:04}", "thing", 1, 1, "created", "account:1", "r", "0" * 64, "0" * 64)


@dataclass
class Log:
    """A log of times, each no earlier than the one before; read as a service lets it be read."""

    times: list[int] = field(default_factory=list)

    def rows(self) -> list[AuditRow]:
        return [row(seq, time) for seq, time in enumerate(self.times, 1)]

    async def read(self, sort: Sort, cursor: str | None, limit: int) -> Rows:
        place = None if cursor is None else int(cursor.partition(".")[2])
        rows = self.rows() if sort == "seq" else self.rows()[::-1]
        if place is not None:
            rows = [one for one in rows if (one.seq > place if sort == "seq" else one.seq < place)]
        return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


def whole(logs: dict[str, Log], sort: Sort) -> list[tuple[str, int]]:
    """Every row, as one would sort them."""
    keys = sorted((one.at, name, one.seq) for name, log in logs.items() for one in log.rows())
    return [(name, seq) for _, name, seq in (keys if sort == "seq" else keys[::-1])]


times = st.lists(st.integers(0, 9), max_size=8).map(sorted)
logs = st.fixed_dictionaries({name: times.map(Log) for name in NAMES})


async def walk(logs: dict[str, Log], sort: Sort, limit: int, later: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """All pages; between two of them somebody writes."""
    found: list[tuple[str, int]] = []
    places: Any = {}
    while places is not None:
        page = await Merged.read({name: log.read for name, log in logs.items()}, sort, places, limit)
        assert len(page.rows) <= limit
        found += [(name, one.seq) for name, one in page.rows]
        places = page.places
        if later:
            name, wait = later.pop()
            logs[name].times.append(max(10, *logs[name].times, wait))
    return found


@given(logs, st.sampled_from(["seq", "-seq"]), st.integers(1, 9))
def test_all_pages_are_all_rows_in_order(logs: dict[str, Log], sort: Sort, limit: int) -> None:
    assert asyncio.run(walk(logs, sort, limit, [])) == whole(logs, sort)


@given(logs, st.integers(1, 5), st.lists(st.tuples(st.sampled_from(NAMES), st.integers(10, 12)), max_size=6))
def test_what_is_written_meanwhile_is_not_in_a_list_that_goes_back(logs: dict[str, Log], limit: int, later: Any) -> None:
    before = whole(logs, "-seq")
    assert asyncio.run(walk(logs, "-seq", limit, later)) == before


@given(logs, st.integers(1, 5), st.lists(st.tuples(st.sampled_from(NAMES), st.integers(10, 12)), max_size=6))
def test_a_list_that_goes_on_has_each_row_once(logs: dict[str, Log], limit: int, later: Any) -> None:
    before = whole(logs, "seq")
    found = asyncio.run(walk(logs, "seq", limit, later))
    assert found[: len(before)] == before
    assert len(found) == len(set(found))

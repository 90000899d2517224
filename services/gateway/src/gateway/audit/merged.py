"""Several logs as one list in the order of time, a page at a time, with a place in each of them.

Each log is in the order of its own times, so one page of each has the next page of all. Rows of the same time stand by service.
"""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from heapq import merge
from typing import Any, Final, Literal

from gateway.views.parts import Parts, Plan
from shared.audit import AuditRow

Sort = Literal["seq", "-seq"]
Rows = tuple[list[AuditRow], str | None]
Source = Callable[[Sort, str | None, int], Coroutine[Any, Any, Rows]]
"""A page of one log: the order, the id of the row that it comes after, and how many rows; its rows, and the cursor of the next page."""

DONE: Final = "-"
"""The place of one who has no older rows: what is written later is newer than all of the list."""


@dataclass(frozen=True, slots=True)
class Merged:
    """A page of all logs: rows with their services, and the place in each for the next page, None when this is the last."""

    rows: list[tuple[str, AuditRow]]
    places: Mapping[str, str] | None

    @classmethod
    async def read(cls, sources: Mapping[str, Source], sort: Sort, places: Mapping[str, str], limit: int) -> "Merged":
        """The page that begins at these places; a source without one begins at its beginning. Raises what a source raises, the first."""
        asked = {name: source for name, source in sources.items() if places.get(name) != DONE}
        pages = dict(zip(asked, await _all(asked, sort, places, limit), strict=True))
        newest_first = sort == "-seq"
        keyed = ([((row.at, name, row.seq), row) for row in rows] for name, (rows, _) in pages.items())
        merged = [(key[1], row) for key, row in merge(*keyed, key=lambda one: one[0], reverse=newest_first)][:limit]
        following = dict(places)
        more = False
        for name, (rows, next_) in pages.items():
            taken = sum(1 for of, _ in merged if of == name)
            if taken < len(rows) or next_ is not None:
                more = True
                if taken or name not in places:
                    following[name] = rows[taken - 1].id if taken else _before(rows[0], newest_first)
            elif newest_first:
                following[name] = DONE
            elif rows:
                following[name] = rows[-1].id
        return cls(merged, following if more else None)


async def _all(sources: Mapping[str, Source], sort: Sort, places: Mapping[str, str], limit: int) -> list[Rows]:
    """A page of each, asked for at the same time."""
    async with Parts(Plan(required=frozenset(sources)), strict=True) as parts:
        tasks = [parts.ask(name, source(sort, places.get(name), limit)) for name, source in sources.items()]
    return [task.result() for task in tasks]


def _before(row: AuditRow, newest_first: bool) -> str:
    """The place right before a row, in the order of the list: rows that are written meanwhile are not to come between."""
    return f"{row.id.partition('.')[0]}.{row.seq + 1 if newest_first else row.seq - 1}"

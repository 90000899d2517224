"""Rows of imports in a batch: what they see of each other, and what they ask of the database."""

from typing import Any

from shared.changes import Author
from shared.db import Connection, Database
from shared.imports import Outcome, Waits
from teams.store.imports import apply_teams

AUTHOR = Author("account:1", "r")


class Counting:
    """A connection that counts the questions."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self.questions = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._conn, name)

    def all(self, *query: Any, **params: Any) -> Any:
        self.questions += 1
        return self._conn.all(*query, **params)


async def imported(db: Database, *rows: dict[str, Any]) -> tuple[list[Outcome], int]:
    """What became of rows of one batch, and how many questions that took."""

    def unit(conn: Connection) -> tuple[list[Outcome], int]:
        counting: Any = Counting(conn)
        return apply_teams(counting, rows, AUTHOR), counting.questions

    return await db.write(unit)


async def test_all_parents_of_a_batch_are_one_question(db: Database) -> None:
    for start in (0, 10):
        rows = [{"slug": f"t{i}", "name": "T", "parent": f"t{i - 1}" if i else None} for i in range(start, start + 10)]
        outcomes, questions = await imported(db, *rows)
        assert (outcomes, questions) == (["created"] * 10, 2)


async def test_a_row_sees_where_those_before_it_have_moved(db: Database) -> None:
    await imported(db, *({"slug": slug, "name": slug} for slug in "abc"))
    outcomes, _ = await imported(
        db,
        {"slug": "a", "parent": "b"},
        {"slug": "c", "parent": "a"},
        {"slug": "b", "parent": "c"},
        {"slug": "d", "name": "d", "parent": "c"},
    )
    assert [outcome if isinstance(outcome, str) else type(outcome) for outcome in outcomes] == ["updated", "updated", Waits, "created"]
    assert (await imported(db, {"slug": "a", "parent": None}, {"slug": "b", "parent": "c"}))[0] == ["updated", "updated"]

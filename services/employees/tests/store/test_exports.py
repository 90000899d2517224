"""Exports: everyone at one instant."""

from typing import Any

from employees.models import WRITABLE
from employees.store import exports, people
from employees.store.exports import EXPORTED
from shared.changes import Author
from shared.db import Connection, Database
from shared.etags import Precondition


async def test_an_export_shows_one_instant_whatever_happens_meanwhile(db: Database, author: Author) -> None:
    def add(conn: Connection, number: int) -> None:
        values: dict[str, Any] = dict.fromkeys(WRITABLE) | {"username": f"e{number}", "email": f"e{number}@x", "status": "active"}
        people.add(conn, values | {"manager_id": 1 if number > 1 else None}, author)

    def upset(conn: Connection) -> None:
        people.change(conn, 1, {"username": "renamed"}, author, Precondition(None))
        people.remove(conn, 700, author, Precondition(None))
        add(conn, 701)

    def fill(conn: Connection) -> None:
        for number in range(1, 701):
            add(conn, number)

    await db.write(fill)
    rows: list[tuple[Any, ...]] = []
    async for page in exports.EVERYONE.at(db, await db.last_change(), size=500):
        rows += page
        if len(rows) == 500:
            await db.write(upset)
    manager = EXPORTED.index("manager")
    assert [(row[0], row[1], row[manager]) for row in rows] == [(n, f"e{n}", "e1" if n > 1 else None) for n in range(1, 701)]

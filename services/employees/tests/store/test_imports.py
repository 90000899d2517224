"""Imports as one unit: much larger than what a transaction keeps in memory."""

import asyncio
from typing import Any

import pytest

from employees.models import WRITABLE, log
from employees.store import exports, imports, people
from shared.changes import Author
from shared.db import Database
from shared.etags import Precondition
from shared.imports import Spool, Spooled, apply_all
from shared.verification import verify

SIZE = 3000


def table(broken: bool) -> Spool[Any]:
    managers = [f"e{number - 1}" if number % 50 else None for number in range(SIZE)]
    rows = [{"username": f"e{number}", "email": f"e{number}@x", "manager": manager} for number, manager in enumerate(managers)]
    if broken:
        rows[-1]["email"] = "e0@x"
    spool: Spool[Any] = Spool(dict)
    spool.put([Spooled(line, str(row["username"]), row["manager"], row) for line, row in enumerate(rows, start=2)])
    return spool


@pytest.mark.parametrize("broken", [False, True])
async def test_a_large_unit_among_small_ones_is_kept_or_leaves_nothing(db: Database, author: Author, broken: bool) -> None:
    blank = dict.fromkeys(WRITABLE) | {"status": "active"}

    def small(name: str) -> Any:
        return lambda conn: people.add(conn, blank | {"username": name, "email": f"{name}@y"}, author)

    def again(conn: Any) -> Any:
        return people.change(conn, 1, {"title": "Lady"}, author, Precondition(None))

    spool = table(broken)
    big = apply_all(db, spool, imports.importer(author), atomic=True, dry_run=False)
    await db.write(small("a"))
    _, _, kept, _, _ = await asyncio.gather(db.write(small("b")), db.write(again), big, db.write(small("c")), db.write(again))
    spool.close()
    assert kept is not broken
    found = [row[1] async for page in exports.EVERYONE.at(db, await db.last_change()) for row in page]
    assert sorted(found) == sorted(["a", "b", "c", *(f"e{number}" for number in range(0 if broken else SIZE) if not broken)])
    assert (await verify(db, log, [people.RECORDS])).seq == 4 + (0 if broken else SIZE)

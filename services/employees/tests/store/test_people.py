"""Units on one employee, many at a time."""

import asyncio
from typing import Any

from sqlalchemy import select

from employees.models import WRITABLE, employee_tokens, log
from employees.store import people
from shared.changes import Author
from shared.db import Connection, Database, Query
from shared.errors import PreconditionFailed
from shared.etags import Precondition
from shared.verification import verify


def blank(username: str) -> dict[str, Any]:
    return dict.fromkeys(WRITABLE) | {"username": username, "email": f"{username}@x", "status": "active"}


async def test_of_fifty_patches_of_one_version_one_is_taken(db: Database, author: Author) -> None:
    await db.write(lambda conn: people.add(conn, blank("ada"), author))
    seen = Precondition(frozenset({'"1"'}))

    def unit(number: int) -> Any:
        return lambda conn: people.change(conn, 1, {"title": f"t{number}"}, author, seen)

    done = await asyncio.gather(*(db.write(unit(number)) for number in range(50)), return_exceptions=True)
    assert sum(isinstance(one, PreconditionFailed) for one in done) == 49
    assert [one["version"] for one in done if isinstance(one, dict)] == [2]


async def test_two_who_would_manage_each_other_do_not(db: Database, author: Author) -> None:
    def both(conn: Connection) -> None:
        people.add(conn, blank("ada"), author)
        people.add(conn, blank("bob"), author)

    await db.write(both)

    def move(id_: int) -> Any:
        return lambda conn: people.change(conn, id_, {"manager_id": 3 - id_}, author, Precondition(None))

    done = await asyncio.gather(db.write(move(1)), db.write(move(2)), return_exceptions=True)
    assert sum(isinstance(one, dict) for one in done) == 1


async def test_the_words_of_someone_follow_their_changes(db: Database, author: Author) -> None:
    tokens = Query(select(employee_tokens).order_by(employee_tokens.c.token))
    await db.write(lambda conn: people.add(conn, blank("ada") | {"title": "Chief Ada"}, author))
    assert await db.all(tokens) == [("ada", 1), ("chief", 1), ("x", 1)]
    await db.write(lambda conn: people.change(conn, 1, {"title": "Lady"}, author, Precondition(None)))
    assert await db.all(tokens) == [("ada", 1), ("lady", 1), ("x", 1)]
    await db.write(lambda conn: people.remove(conn, 1, author, Precondition(None)))
    assert await db.all(tokens) == []
    assert (await verify(db, log, [people.RECORDS])).seq == 3

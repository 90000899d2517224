"""The database of a service: SQLite or PostgreSQL behind the same few calls.

A statement is written once, with bind parameters by name, and compiled once per database::

    BY_ID = Query(select(people).where(people.c.id == bindparam("id")))
    BY_NAMES = Query(select(people).where(any_of(people.c.name_key, "names")))
    row = await db.one(BY_ID, id=7)                                     # a tuple, or None
    rows = await db.all(BY_NAMES, names=["ada", "grace"])

A write is a unit: a plain function of one connection; `write` returns after the commit that made it durable::

    def rename(conn: Connection) -> dict[str, Any]:
        before = records.get(conn, 7) or _absent()
        return records.change(conn, before, {"name": "Ada"}, author)    # current row, version and log entry, or nothing at all
    person = await db.write(rename)

A list is a `shared.pages.Listing`: which columns it may be sorted by, and which clause each filter adds::

    LISTING = Listing(people, sorts={"id": Sort(people.c.id), "name": Sort(people.c.name_key, empties=True)},
                      filters={"email": people.c.email_key == bindparam("email"), "id": any_of(people.c.id, "id")})
    page = await LISTING.page(db, {"email": "a@b.c"}, sort="-name", cursor=None, limit=50, count=False)

An import writes a chunk of rows in one unit: `records.add_many(conn, rows, author)`. An export takes the log's place once and then walks
the versions (`shared.snapshots`), one short read a page, so that no transaction waits for a slow client::

    EVERYONE = Snapshot(select(people_versions.c.name), people_versions)
    async for rows in EVERYONE.at(db, await db.last_change()): ...
"""

from shared.db.connection import Connection
from shared.db.database import Database, Reader, utc_now
from shared.db.errors import ConstraintViolation, InvalidParameter, NotMigrated, StoreError, Unavailable, UniqueViolation
from shared.db.query import Query, any_of
from shared.db.types import Change, exact_text

__all__ = [
    "Change",
    "Connection",
    "ConstraintViolation",
    "Database",
    "InvalidParameter",
    "NotMigrated",
    "Query",
    "Reader",
    "StoreError",
    "Unavailable",
    "UniqueViolation",
    "any_of",
    "exact_text",
    "utc_now",
]

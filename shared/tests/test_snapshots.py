"""A table as it was, on both databases."""

from shared.db import Connection, Database
from shared.testing.things import ALL, AUTHOR, records, snapshot


async def test_the_state_at_a_place_in_the_log_stays_what_it_was(db: Database) -> None:
    def change(conn: Connection) -> None:
        records.change(conn, records.get(conn, 2) or {}, {"amount": 7}, AUTHOR)
        records.remove(conn, records.get(conn, 3) or {}, AUTHOR)
        records.add(conn, {"code": "late", "open": True}, AUTHOR)

    made = await db.write(lambda conn: records.add_many(conn, [{"code": f"c{i}", "open": True} for i in range(5)], AUTHOR))
    seq = await db.last_change()
    pages = snapshot.at(db, seq, size=2)
    found = list(await anext(pages))
    await db.write(change)
    async for page in pages:
        found += page
    assert [records.record(row) for row in found] == made
    now = [row for page in [page async for page in snapshot.at(db, await db.last_change())] for row in page]
    assert now == await db.all(ALL)

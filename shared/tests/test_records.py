"""What each write leaves, on both databases."""

import pytest
from sqlalchemy import bindparam, select

from shared.db import Connection, Database, InvalidParameter, Query, UniqueViolation
from shared.testing.things import ALL, AUTHOR, BY_ID, log, records, things, things_versions

VERSIONS = Query(select(things_versions).order_by(things_versions.c.id, things_versions.c.version))
CHANGES = Query(select(log.changes).order_by(log.changes.c.seq))


async def test_a_new_record_is_a_row_a_version_and_a_log_entry(db: Database) -> None:
    thing = await db.write(lambda conn: records.add(conn, {"name": "Ärmel", "code": "a", "open": True}, AUTHOR))
    assert thing["id"] == 1
    assert thing["version"] == 1
    assert thing["name_key"] == "ärmel"
    assert thing["owner_id"] is None
    assert thing["created_at"] == thing["updated_at"]
    assert records.record(await db.one(BY_ID, id=1) or ()) == thing
    (version,) = await db.all(VERSIONS)
    assert version == (*thing.values(), 1, None)
    (change,) = await db.all(CHANGES)
    assert change[:8] == (1, thing["created_at"], "thing", 1, 1, "created", "account:1", "request-1")


async def test_a_change_ends_one_version_and_begins_the_next(db: Database) -> None:
    def unit(conn: Connection) -> dict[str, object]:
        return records.change(conn, records.get(conn, 1) or {}, {"name": "new", "open": False}, AUTHOR)

    before = await db.write(lambda conn: records.add(conn, {"name": "old", "code": "a", "open": True}, AUTHOR))
    after = await db.write(unit)
    assert after == {**before, "name": "new", "name_key": "new", "open": False, "version": 2, "updated_at": after["updated_at"]}
    assert after["updated_at"] > before["updated_at"]
    assert records.record(await db.one(BY_ID, id=1) or ()) == after
    assert await db.all(VERSIONS) == [(*before.values(), 1, 2), (*after.values(), 2, None)]


async def test_a_change_that_changes_nothing_leaves_nothing(db: Database) -> None:
    def unit(conn: Connection) -> bool:
        before = records.get(conn, 1)
        assert before is not None
        return records.change(conn, before, {"name": "same", "open": True}, AUTHOR) is before

    await db.write(lambda conn: records.add(conn, {"name": "same", "code": "a", "open": True}, AUTHOR))
    assert await db.write(unit)
    assert len(await db.all(CHANGES)) == 1
    assert len(await db.all(VERSIONS)) == 1


async def test_created_changed_and_removed_in_one_transaction(db: Database) -> None:
    def unit(conn: Connection) -> None:
        other = records.add(conn, {"code": "other", "open": True}, AUTHOR)
        records.remove(conn, other, AUTHOR)
        thing = records.add(conn, {"code": "a", "open": True}, AUTHOR)
        records.remove(conn, records.change(conn, thing, {"amount": 5}, AUTHOR), AUTHOR)

    await db.write(unit)
    assert await db.all(ALL) == []
    assert [(row[0], row[7], *row[-2:]) for row in await db.all(VERSIONS)] == [(1, 1, 1, 2), (2, 1, 3, 4), (2, 2, 4, 5)]
    assert [(row[5], row[4]) for row in await db.all(CHANGES)] == [
        ("created", 1),
        ("deleted", 2),
        ("created", 1),
        ("updated", 2),
        ("deleted", 3),
    ]


async def test_an_id_is_never_given_twice(db: Database) -> None:
    def remove(conn: Connection) -> None:
        records.remove(conn, records.get(conn, 1) or {}, AUTHOR)

    await db.write(lambda conn: records.add(conn, {"code": "a", "open": True}, AUTHOR))
    await db.write(remove)
    assert (await db.write(lambda conn: records.add(conn, {"code": "a", "open": True}, AUTHOR)))["id"] == 2


async def test_ids_of_failed_units_leave_no_gap(db: Database) -> None:
    def failing(conn: Connection) -> None:
        records.add(conn, {"code": "x", "open": True}, AUTHOR)
        raise LookupError

    with pytest.raises(LookupError):
        await db.write(failing)
    assert (await db.write(lambda conn: records.add(conn, {"code": "a", "open": True}, AUTHOR)))["id"] == 1
    assert [row[0] for row in await db.all(CHANGES)] == [1]


async def test_many_at_once_are_the_same_as_one_by_one(db: Database) -> None:
    made = await db.write(lambda conn: records.add_many(conn, [{"code": f"c{i}", "open": i % 2 == 0} for i in range(50)], AUTHOR))
    assert [records.record(row) for row in await db.all(ALL)] == made
    assert len(await db.all(VERSIONS)) == len(await db.all(CHANGES)) == 50


async def test_many_at_once_with_a_double_leave_nothing(db: Database) -> None:
    with pytest.raises(UniqueViolation):
        await db.write(lambda conn: records.add_many(conn, [{"code": code, "open": True} for code in ("a", "b", "a")], AUTHOR))
    assert await db.all(ALL) == await db.all(CHANGES) == []


async def test_many_at_once_with_a_number_too_big_leave_nothing(db: Database) -> None:
    rows = [{"code": f"c{at}", "amount": 2 ** (62 + at), "open": True} for at in range(2)]
    with pytest.raises(InvalidParameter):
        await db.write(lambda conn: records.add_many(conn, rows, AUTHOR))
    assert await db.all(ALL) == await db.all(CHANGES) == []


async def test_a_foreign_key_is_kept(db: Database) -> None:
    from shared.db import ConstraintViolation

    with pytest.raises(ConstraintViolation):
        await db.write(lambda conn: records.add(conn, {"code": "a", "open": True, "owner_id": 99}, AUTHOR))


async def test_columns_that_did_not_change_are_not_written(db: Database) -> None:
    """An update names only what differs, so the query for it does too."""
    await db.write(lambda conn: records.add(conn, {"code": "a", "open": True}, AUTHOR))
    await db.write(lambda conn: records.change(conn, records.get(conn, 1) or {}, {"amount": 1}, AUTHOR))
    assert set(records._updates) >= {("amount", "version", "updated_at")}
    assert await db.one(Query(select(things.c.amount).where(things.c.id == bindparam("id"))), id=1) == (1,)

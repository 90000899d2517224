"""Whatever is altered in a log, or in the states that it tells of, is found; on the databases themselves, behind the service's back."""

import contextlib
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.db import Connection, Database, Query
from shared.migrate import engine_of, upgrade
from shared.testing.things import AUTHOR, log, records, things, things_versions
from shared.verification import Head, LogBroken, head_of, verify

RECORDS = [records]
COLUMNS = [column.name for column in log.changes.columns]
WORDS = st.text("aé'%0", max_size=4)
CHANGES = st.lists(st.tuples(st.sampled_from(["add", "name", "remove", "erase"]), st.integers(1, 4), WORDS), min_size=1, max_size=4)


def change(conn: Connection, what: str, id_: int, name: str) -> None:
    """One change more, if it is one."""
    thing = records.get(conn, id_)
    if what == "add":
        records.add(conn, {"code": f"c{records.next_id(conn)}", "name": name, "open": True, "owner_id": thing and id_}, AUTHOR)
    elif what == "erase":
        records.erase(conn, id_, {"open": False}, AUTHOR)
    elif thing is not None and what == "name":
        records.change(conn, thing, {"name": name, "amount": 7}, AUTHOR)
    elif thing is not None and what == "remove" and not conn.one(Query(sa.select(things.c.id).where(things.c.owner_id == id_))):
        records.remove(conn, thing, AUTHOR)


async def write(db: Database, *changes: tuple[str, int, str]) -> None:
    for what, id_, name in changes:
        await db.write(lambda conn, of=(what, id_, name): change(conn, *of), large=True)  # type: ignore[misc]  # mypy knows no such default


STORY = (("add", 1, "one"), ("add", 2, "two"), ("name", 1, "uno"), ("name", 2, "due"), ("remove", 2, ""), ("erase", 1, ""), ("add", 3, "x"))


def altering(url: str, *statements: sa.Executable) -> None:
    engine = engine_of(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(statement)
    engine.dispose()


async def broken(db: Database, *noted: Head) -> LogBroken:
    with pytest.raises(LogBroken) as caught:
        await verify(db, log, RECORDS, noted)
    return caught.value


def flips(value: Any) -> Iterator[Any]:
    """The value with one byte of it another, for each byte, as SQLite keeps it: an integer's in eight, a text's in UTF-8."""
    raw = value.to_bytes(8, "big", signed=True) if isinstance(value, int) else value.encode()
    for place in range(len(raw)):
        other = bytearray(raw)
        other[place] ^= 1 << (place * 7 % 8)
        yield int.from_bytes(other, "big", signed=True) if isinstance(value, int) else bytes(other)


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(changes=CHANGES)
def test_every_flipped_byte_of_every_row_is_found(changes: list[tuple[str, int, str]], tmp_path_factory: pytest.TempPathFactory) -> None:
    import asyncio

    path = tmp_path_factory.mktemp("flip") / "things.db"
    upgrade(f"sqlite:///{path}", "shared.testing.things")
    asyncio.run(_flip_all(path, [("add", 1, "first"), *changes]))


async def _flip_all(path: Path, changes: list[tuple[str, int, str]]) -> None:
    db = Database(f"sqlite:///{path}", readers=1)
    await db.open()
    await write(db, *changes)
    head = await verify(db, log, RECORDS)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as raw:
        for row in raw.execute(f"SELECT {', '.join(COLUMNS)} FROM changes ORDER BY seq").fetchall():
            for name, value in zip(COLUMNS, row, strict=True):
                for other in flips(value):
                    as_text = "CAST(? AS TEXT)" if isinstance(value, str) else "?"
                    place = other if name == "seq" else row[0]
                    if name == "seq" and 1 <= other <= head.seq:
                        continue  # another row's place, which two can't have
                    raw.execute(f"UPDATE changes SET {name} = {as_text} WHERE seq = ?", (other, row[0]))
                    with pytest.raises(LogBroken) as caught:
                        await verify(db, log)
                    assert caught.value.seq in (row[0], place), (name, other)
                    raw.execute(f"UPDATE changes SET {name} = ? WHERE seq = ?", (value, place))
    assert await verify(db, log, RECORDS) == head
    await db.close()


async def test_a_text_that_was_made_bytes_of_the_same_hash_is_found(db: Database) -> None:
    """JSON has no bytes: those whose base64 is the digest would have the same hash."""
    await write(db, *STORY)
    if db.dialect == "sqlite":
        import base64

        (digest,) = await db.one(Query(sa.select(log.changes.c.digest).where(log.changes.c.seq == 2))) or ()
        engine = engine_of(db.url)
        with engine.begin() as connection:
            connection.exec_driver_sql("UPDATE changes SET digest = ? WHERE seq = 2", (base64.b64decode(digest),))
        engine.dispose()
        assert (await broken(db)).seq == 2


async def test_altered_values_are_found_and_the_row_is_named(db: Database) -> None:
    await write(db, *STORY)
    head = await verify(db, log, RECORDS)
    changes = log.changes
    chance = random.Random(5)
    for column in changes.columns:
        for seq in (1, 3, head.seq):
            (value,) = await db.one(Query(sa.select(column).where(changes.c.seq == seq))) or ()
            other = value + 100 if isinstance(value, int) else _other(value, chance)
            altering(db.url, sa.update(changes).where(changes.c.seq == seq).values({column.name: other}))
            assert (await broken(db)).seq == seq
            altering(
                db.url, sa.update(changes).where(changes.c.seq == (other if column.name == "seq" else seq)).values({column.name: value})
            )
    assert await verify(db, log, RECORDS) == head


def _other(text: str, chance: random.Random) -> str:
    place = chance.randrange(len(text))
    return f"{text[:place]}{chr(ord(text[place]) ^ 1)}{text[place + 1 :]}"


async def test_rows_removed_put_in_swapped_and_cut_off_are_found(db: Database) -> None:
    await write(db, *STORY)
    head = await verify(db, log, RECORDS)
    changes = log.changes
    rows = await db.all(Query(sa.select(changes).order_by(changes.c.seq)))

    async def found(*statements: sa.Executable, noted: Head | None = None) -> int:
        altering(db.url, *statements)
        error = await broken(db, *([noted] if noted else ()))
        altering(db.url, sa.delete(changes), *(sa.insert(changes).values(row) for row in rows))
        return error.seq

    assert await found(sa.delete(changes).where(changes.c.seq == 3)) == 3
    assert await found(sa.insert(changes).values((0, *rows[2][1:]))) == 0
    assert await found(sa.insert(changes).values((head.seq + 1, *rows[2][1:]))) == head.seq + 1
    third, second = (2, *rows[2][1:]), (3, *rows[1][1:])
    swap = [sa.delete(changes).where(changes.c.seq.in_([2, 3])), sa.insert(changes).values(third), sa.insert(changes).values(second)]
    assert await found(*swap) == 2
    assert await found(sa.delete(changes).where(changes.c.seq > 5), noted=head) == 6
    assert await found(sa.delete(changes), noted=head) == 1
    assert await verify(db, log, RECORDS, [head]) == head


async def test_a_log_that_was_written_anew_is_found_by_a_head_that_was_noted(db: Database) -> None:
    await write(db, *STORY[:3])
    early = await head_of(db, log)
    await write(db, *STORY[3:])
    noted = await head_of(db, log)
    assert await verify(db, log, RECORDS, [early, noted]) == noted
    assert (await broken(db, Head(early.seq, noted.hash))).seq == early.seq
    with pytest.raises(LogBroken, match="noted up to change 99"):
        await verify(db, log, RECORDS, [Head(99, noted.hash)])


async def test_altered_states_and_current_rows_are_found(db: Database) -> None:
    await write(db, *STORY)
    head = await verify(db, log, RECORDS)
    versions = things_versions

    async def found(alter: sa.Executable, mend: sa.Executable) -> int:
        altering(db.url, alter)
        error = await broken(db)
        altering(db.url, mend)
        assert await verify(db, log, RECORDS) == head
        return error.seq

    def of(id_: int, version: int, **values: Any) -> sa.Executable:
        return sa.update(versions).where(versions.c.id == id_, versions.c.version == version).values(values)

    assert await found(of(2, 1, name="deux"), of(2, 1, name="two")) == 2
    assert await found(of(2, 2, amount=8), of(2, 2, amount=7)) == 4
    assert await found(of(2, 2, name_key="x"), of(2, 2, name_key="due")) == 4
    assert await found(of(2, 1, seq_to=5), of(2, 1, seq_to=4)) == 4
    assert await found(of(1, 1, name="one"), of(1, 1, name="erased-1")) == 1
    assert await found(of(1, 2, seq_to=None), of(1, 2, seq_to=6)) == 6
    (current,) = await db.all(Query(sa.select(things).where(things.c.id == 3)))
    edit = sa.update(things).where(things.c.id == 3)
    assert await found(edit.values(name="changed"), edit.values(name="x")) == 7
    assert await found(sa.delete(things).where(things.c.id == 3), sa.insert(things).values(current)) == 7
    put_in = {**dict(zip([column.name for column in things.columns], current, strict=True)), "id": 9, "code": "c9"}
    assert await found(sa.insert(things).values(put_in), sa.delete(things).where(things.c.id == 9)) == 0
    more = {**put_in, "seq_from": 99, "seq_to": 100}
    assert await found(sa.insert(versions).values(more), sa.delete(versions).where(versions.c.id == 9)) == 99


async def test_an_empty_log_is_intact(db: Database) -> None:
    assert await head_of(db, log) == await verify(db, log, RECORDS) == Head(0, "")

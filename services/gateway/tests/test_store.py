"""Accounts and sessions in the database, on SQLite and on PostgreSQL alike."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text

from gateway import store
from gateway.errors import WrongCredentials
from gateway.models import log, metadata
from gateway.revocations import InDatabase
from gateway.sessions import SessionCookies, Sessions
from shared.changes import Author, verify
from shared.db import Database, Query
from shared.errors import Conflict
from shared.migrate import engine_of, upgrade

AUTHOR = Author("account:1", "request-1")
AT = "2026-11-22T08:00:00.000000Z"


@pytest_asyncio.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    upgrade(database_url, "gateway")
    found = Database(database_url, readers=2)
    await found.open()
    yield found
    await found.close()


async def add(db: Database, username: str = "ada", role: str = "viewer") -> store.LogIn:
    await db.write(partial(store.add_account, username=username, role=role, password_hash="kept", author=AUTHOR))
    found = await store.find_log_in(db, username)
    assert found is not None
    return found


def row(account: store.LogIn, at: str = AT) -> store.SessionRow:
    return store.SessionRow(account.id, account.generation, at, at, account.username, account.role, valid=True)


def begun(account: store.LogIn, digest: str, at: str = AT, **more: Any) -> store.Unit:
    times = {"ending": None, "idle_before": "2026-11-22T07:29:00.000000Z", "begun_before": "2026-11-21T20:00:00.000000Z"}
    return store.begin_session(row(account, at), digest, **{**times, **more})


def test_the_models_are_what_the_migrations_make(database_url: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    upgrade(database_url, "gateway")
    engine = engine_of(database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


async def test_an_account_is_found_without_regard_to_case(db: Database) -> None:
    account = await add(db, "Straße")
    for name in ("straße", "STRASSE", "Strasse"):
        assert await store.find_log_in(db, name) == account
    assert await store.find_log_in(db, "nobody") is None
    assert (await store.get_account(db, account.id))["username"] == "Straße"


async def test_a_taken_username_is_a_conflict_and_leaves_nothing(db: Database) -> None:
    await add(db)
    with pytest.raises(Conflict, match="username"):
        await add(db, "ADA")
    assert await store.count_accounts(db) == 1
    assert await verify(db, log) == 1


async def test_only_one_of_several_first_accounts_is_made(db: Database) -> None:
    units = [partial(store.add_first_account, username="admin", password_hash=f"kept{n}", author=AUTHOR) for n in range(5)]
    assert sorted(await asyncio.gather(*(db.write(unit) for unit in units))) == [False, False, False, False, True]
    assert await store.count_accounts(db) == 1


async def test_a_session_lasts_until_it_is_ended(db: Database) -> None:
    account = await add(db)
    await db.write(begun(account, "a"))
    assert await store.find_session(db, "a") == row(account)
    assert await store.find_session(db, "b") is None
    await db.write(store.end_session("a"))
    await db.write(store.end_session("a"))
    assert await store.find_session(db, "a") is None


async def test_another_generation_or_a_disabled_account_lets_no_session_be(db: Database) -> None:
    account = await add(db)
    await db.write(begun(account, "a"))
    changes: list[dict[str, Any]] = [{"generation": 2}, {"generation": 1, "disabled": True}]
    for change in changes:

        def unit(conn: Any, change: dict[str, Any] = change) -> Any:
            before = store.ACCOUNTS.get(conn, account.id)
            assert before is not None
            return store.ACCOUNTS.change(conn, before, change, AUTHOR)

        await db.write(unit)
        found = await store.find_session(db, "a")
        assert found is not None
        assert not found.valid
        with pytest.raises(WrongCredentials):
            await db.write(begun(account, "b"))


async def test_a_new_session_ends_the_old_and_those_worn_out(db: Database) -> None:
    account = await add(db)
    times = {"old": "2026-11-21T19:59:59.000000Z", "idle": "2026-11-22T07:28:59.000000Z", "good": AT}
    for digest, at in times.items():
        await db.write(begun(account, digest, at, idle_before="", begun_before=""))
    await db.write(begun(account, "new", ending="good"))
    rows = await db.all(Query(text("SELECT digest FROM sessions")))
    assert rows == [("new",)]


async def test_the_last_use_is_noted_at_most_once_a_minute(db: Database) -> None:
    account = await add(db)
    now = 1_800_000_000.0
    cookies = SessionCookies(["k" * 40])
    sessions = Sessions(db, cookies, InDatabase(), idle=1800, absolute=43200, clock=lambda: now, log=None)
    session = await sessions.begin(account, ending=None)
    cookie = str(cookies.serializer_of_keys.dumps(session.claims)).encode()
    seen = []
    for step in (0, 2, 30, 27, 2, 2, 60):
        now += step
        assert await sessions.check(cookie) == session
        await sessions.close()
        found = await store.find_session(db, session.digest)
        assert found is not None
        seen.append(found.seen_at[11:19])
    assert seen == ["08:00:00"] * 4 + ["08:01:01"] * 2 + ["08:02:03"]

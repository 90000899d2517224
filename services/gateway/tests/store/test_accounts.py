"""Accounts in the database."""

import asyncio
from functools import partial
from typing import Any

import pytest

from gateway import store
from gateway.errors import NotLoggedIn
from gateway.models import log, metadata
from gateway.store import accounts
from shared.changes import Author
from shared.db import Database
from shared.errors import Conflict, NotFound, PreconditionFailed, Problem
from shared.etags import Precondition
from shared.migrate import engine_of, upgrade
from shared.verification import verify

AUTHOR = Author("account:1", "request-1")
ANYHOW = Precondition(None)


def changed(account_id: int, condition: Precondition = ANYHOW, **changes: Any) -> store.Unit:
    return partial(accounts.change_account, account_id=account_id, changes=changes, condition=condition, author=AUTHOR)


def test_the_models_are_what_the_migrations_make(database_url: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    upgrade(database_url, "gateway")
    engine = engine_of(database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


async def test_an_account_is_found_without_regard_to_case(db: Database, add: Any) -> None:
    account = await add("Straße")
    for name in ("straße", "STRASSE", "Strasse"):
        assert await accounts.find_log_in(db, name) == account
    assert await accounts.find_log_in(db, "nobody") is None
    assert await accounts.get_log_in(db, account.id) == account
    assert (await accounts.get_account(db, account.id))["username"] == "Straße"


async def test_a_taken_username_is_a_conflict_and_leaves_nothing(db: Database, add: Any) -> None:
    await add()
    with pytest.raises(Conflict, match="username"):
        await add("ADA")
    assert await accounts.count_accounts(db) == 1
    assert (await verify(db, log, [accounts.ACCOUNTS])).seq == 1


async def test_only_one_of_several_first_accounts_is_made(db: Database) -> None:
    units = [partial(accounts.add_first_account, username="admin", password_hash=f"kept{n}", author=AUTHOR) for n in range(5)]
    assert sorted(await asyncio.gather(*(db.write(unit) for unit in units))) == [False, False, False, False, True]
    assert await accounts.count_accounts(db) == 1


async def test_a_change_is_a_version_and_ends_sessions_where_it_takes_something(db: Database, add: Any) -> None:
    await add("root", "admin")
    account = await add()
    table: list[tuple[dict[str, Any], int]] = [
        ({"role": "editor"}, 2),
        ({"role": "editor"}, 2),
        ({"employee_id": 7}, 2),
        ({"employee_id": None}, 2),
        ({"oidc_subject": "https://id.example.org 1"}, 2),
        ({"oidc_subject": "https://id.example.org 2"}, 3),
        ({"oidc_subject": None}, 4),
        ({"disabled": True}, 5),
        ({"disabled": False}, 5),
    ]
    for changes, generation in table:
        shown = await db.write(changed(account.id, **changes))
        assert {name: shown[name] for name in changes} == changes
        assert (await accounts.get_log_in(db, account.id)).generation == generation, changes
    assert shown["version"] == 9
    with pytest.raises(PreconditionFailed):
        await db.write(changed(account.id, Precondition(frozenset({'"8"'})), role="viewer"))
    with pytest.raises(NotFound):
        await db.write(changed(999, role="viewer"))


async def test_the_last_admin_stays_whoever_asks_at_the_same_time(db: Database, add: Any) -> None:
    admins = [await add(f"root{number}", "admin") for number in range(4)]
    changes: list[dict[str, Any]] = [{"disabled": True}, {"role": "viewer"}] * 2
    units = [changed(one.id, **change) for one, change in zip(admins, changes, strict=True)]
    results = await asyncio.gather(*(db.write(unit) for unit in units), return_exceptions=True)
    refused = [one for one in results if isinstance(one, BaseException)]
    assert [type(one) for one in refused] == [Conflict]
    assert isinstance(refused[0], Problem)
    assert refused[0].errors[0].field in ("disabled", "role")
    await add("next", "admin")
    for one in admins:
        await db.write(changed(one.id, role="viewer"))


async def test_a_password_is_another_generation(db: Database, add: Any) -> None:
    account = await add()
    await db.write(partial(accounts.set_password, account_id=account.id, password_hash="other", author=AUTHOR, generation=1))
    found = await accounts.get_log_in(db, account.id)
    assert (found.hash, found.generation) == ("other", 2)
    with pytest.raises(NotLoggedIn):
        await db.write(partial(accounts.set_password, account_id=account.id, password_hash="late", author=AUTHOR, generation=1))
    assert await accounts.get_log_in(db, account.id) == found
    assert (await verify(db, log, [accounts.ACCOUNTS])).seq == 3


async def test_a_feed_disables_the_last_admin_too(db: Database, add: Any) -> None:
    account = await add("root", "admin")
    disable = partial(accounts.disable, account_id=account.id, author=AUTHOR)
    assert [await db.write(disable), await db.write(disable)] == [True, False]
    await db.write(partial(accounts.recover_admin, username="ROOT", password_hash="found again", author=AUTHOR))
    found = await accounts.get_log_in(db, account.id)
    assert (found.role, found.disabled, found.hash, found.generation) == ("admin", False, "found again", 3)


async def test_a_hash_made_anew_does_not_bring_back_a_password_that_was_changed_meanwhile(db: Database, add: Any) -> None:
    account = await add()
    await db.write(lambda conn: accounts.set_password(conn, account.id, "another", AUTHOR))
    await db.write(accounts.set_hash(account, "the old one, kept better"))
    assert (await accounts.get_log_in(db, account.id)).hash == "another"
    await db.write(accounts.set_hash(await accounts.get_log_in(db, account.id), "another, kept better"))
    assert (await accounts.get_log_in(db, account.id)).hash == "another, kept better"

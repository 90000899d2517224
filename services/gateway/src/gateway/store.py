"""What the gateway's database is asked: accounts and sessions.

Reads are coroutines; writes are functions that make a unit for `db.write`, so that the commit stands where it is asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import bindparam, delete, func, insert, select, update

from gateway.errors import WrongCredentials
from gateway.models import accounts, accounts_versions, log, passwords, sessions
from shared.changes import Author
from shared.db import Connection, Database, Query, UniqueViolation
from shared.errors import Conflict, NotFound
from shared.idempotency import Idempotency
from shared.pages import Listing, Page, Sort
from shared.records import Records
from shared.words import fold

Unit = Callable[[Connection], Any]

FIELDS: Final = ("id", "username", "role", "disabled", "version", "created_at", "updated_at")
SHOWN: Final = [accounts.c[name] for name in FIELDS]

ACCOUNTS: Final = Records("account", accounts, accounts_versions, log, lambda values: {"username_key": fold(values["username"])})
LISTING: Final = Listing(
    select(*SHOWN), accounts.c.id, sorts={"id": Sort(accounts.c.id), "username": Sort(accounts.c.username_key)}, filters={}
)

IDEMPOTENCY: Final = Idempotency(log)

_COUNT: Final = Query(select(func.count()).select_from(accounts))
_ACCOUNT: Final = Query(select(*SHOWN).where(accounts.c.id == bindparam("id")))
_LOG_IN: Final = Query(
    select(accounts.c.id, accounts.c.username, accounts.c.role, accounts.c.disabled, accounts.c.generation, passwords.c.hash)
    .join_from(accounts, passwords, passwords.c.account_id == accounts.c.id)
    .where(accounts.c.username_key == bindparam("username_key"))
)
_IN_FORCE: Final = Query(select(accounts.c.generation, accounts.c.disabled).where(accounts.c.id == bindparam("id")))
_SESSION: Final = Query(
    select(
        sessions.c.account_id,
        sessions.c.generation,
        sessions.c.created_at,
        sessions.c.seen_at,
        accounts.c.username,
        accounts.c.role,
        accounts.c.generation,
        accounts.c.disabled,
    )
    .join_from(sessions, accounts, accounts.c.id == sessions.c.account_id)
    .where(sessions.c.digest == bindparam("digest"))
)
_ADD_PASSWORD: Final = Query(insert(passwords))
_SET_PASSWORD: Final = Query(update(passwords).where(passwords.c.account_id == bindparam("id")).values(hash=bindparam("new_hash")))
_ADD_SESSION: Final = Query(insert(sessions))
_SEEN: Final = Query(update(sessions).where(sessions.c.digest == bindparam("of")).values(seen_at=bindparam("at")))
_END: Final = Query(delete(sessions).where(sessions.c.digest == bindparam("digest")))
_PURGE: Final = Query(
    delete(sessions).where((sessions.c.seen_at < bindparam("idle_before")) | (sessions.c.created_at < bindparam("begun_before")))
)


@dataclass(frozen=True, slots=True)
class LogIn:
    """An account as log-in needs it. The hash goes nowhere but into the check."""

    id: int
    username: str
    role: str
    disabled: bool
    generation: int
    hash: str


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session and its account; `valid` is whether the account still lets it be."""

    account_id: int
    generation: int
    created_at: str
    seen_at: str
    username: str
    role: str
    valid: bool


async def count_accounts(db: Database) -> int:
    """How many accounts there are, disabled ones included."""
    row = await db.one(_COUNT)
    assert row is not None
    return int(row[0])


async def find_log_in(db: Database, username: str) -> LogIn | None:
    """The account of a username, without regard to case; None when there is none."""
    row = await db.one(_LOG_IN, username_key=fold(username))
    return LogIn(*row) if row else None


async def get_account(db: Database, account_id: int) -> dict[str, Any]:
    """An account as it is shown. Raises NotFound."""
    row = await db.one(_ACCOUNT, id=account_id)
    if row is None:
        raise NotFound(f"There is no account {account_id}.")
    return dict(zip(FIELDS, row, strict=True))


async def list_accounts(db: Database, *, sort: str, cursor: str | None, limit: int, count: bool) -> Page:
    """A page of accounts."""
    return await LISTING.page(db, {}, sort=sort, cursor=cursor, limit=limit, count=count)


def add_account(conn: Connection, username: str, role: str, password_hash: str, author: Author) -> dict[str, Any]:
    """Add an account and its password, and give it as it is shown. Raises Conflict naming `username`."""
    values = {"username": username, "role": role, "disabled": False, "generation": 1}
    try:
        with conn.savepoint():
            account = ACCOUNTS.add(conn, values, author)
    except UniqueViolation as error:
        raise Conflict.of("username", "is taken") from error
    conn.run(_ADD_PASSWORD, account_id=account["id"], hash=password_hash)
    return {name: account[name] for name in FIELDS}


def add_first_account(conn: Connection, username: str, password_hash: str, author: Author) -> bool:
    """Add an admin where there is no account yet; False when another process was quicker."""
    if conn.all(_COUNT)[0][0]:
        return False
    add_account(conn, username, "admin", password_hash, author)
    return True


def set_hash(account_id: int, password_hash: str) -> Unit:
    """Keep the same password under better parameters."""
    return lambda conn: conn.run(_SET_PASSWORD, id=account_id, new_hash=password_hash)


async def find_session(db: Database, digest: str) -> SessionRow | None:
    """The session of a digest; None when it has ended."""
    row = await db.one(_SESSION, digest=digest)
    if row is None:
        return None
    *kept, generation, disabled = row
    return SessionRow(*kept, generation == kept[1] and not disabled)  # type: ignore[call-arg]  # a row of unknown length


def begin_session(row: SessionRow, digest: str, *, ending: str | None, idle_before: str, begun_before: str) -> Unit:
    """A session's row; that of `ending` and all worn-out ones go. The unit raises WrongCredentials when the account has changed since."""

    def unit(conn: Connection) -> None:
        if conn.one(_IN_FORCE, id=row.account_id) != (row.generation, False):
            raise WrongCredentials
        conn.run(_PURGE, idle_before=idle_before, begun_before=begun_before)
        if ending is not None:
            conn.run(_END, digest=ending)
        conn.run(
            _ADD_SESSION,
            digest=digest,
            account_id=row.account_id,
            generation=row.generation,
            created_at=row.created_at,
            seen_at=row.seen_at,
        )

    return unit


def end_session(digest: str) -> Unit:
    """The session's row goes; nothing happens when it is gone already."""
    return lambda conn: conn.run(_END, digest=digest)


def note_seen(digest: str, at: str) -> Unit:
    """When the session was last used."""
    return lambda conn: conn.run(_SEEN, of=digest, at=at)

"""Accounts and their passwords."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import bindparam, func, insert, select, update

from gateway.errors import LogInRefused, NotLoggedIn
from gateway.models import accounts, accounts_versions, log, passwords
from gateway.store import Unit, sessions
from shared.changes import Author, Change, digest_of
from shared.db import Connection, Database, Query, UniqueViolation
from shared.errors import Conflict, NotFound
from shared.etags import Precondition
from shared.pages import Listing, Page, Sort
from shared.records import Record, Records
from shared.words import fold

FIELDS: Final = ("id", "username", "role", "disabled", "employee_id", "oidc_subject", "version", "created_at", "updated_at")
SHOWN: Final = [accounts.c[name] for name in FIELDS]

ACCOUNTS: Final = Records("account", accounts, accounts_versions, log, lambda values: {"username_key": fold(values["username"])})
LISTING: Final = Listing(
    select(*SHOWN), accounts.c.id, sorts={"id": Sort(accounts.c.id), "username": Sort(accounts.c.username_key)}, filters={}
)

_COUNT: Final = Query(select(func.count()).select_from(accounts))
_ACCOUNT: Final = Query(select(*SHOWN).where(accounts.c.id == bindparam("id")))
_log_in: Final = select(
    accounts.c.id, accounts.c.username, accounts.c.role, accounts.c.disabled, accounts.c.generation, passwords.c.hash
).join_from(accounts, passwords, passwords.c.account_id == accounts.c.id)
_LOG_IN: Final = Query(_log_in.where(accounts.c.username_key == bindparam("username_key")))
_LOG_IN_OF: Final = Query(_log_in.where(accounts.c.id == bindparam("id")))
_holder: Final = select(accounts.c.id, accounts.c.username, accounts.c.role, accounts.c.disabled, accounts.c.generation)
_HOLDER_OF_SUBJECT: Final = Query(_holder.where(accounts.c.oidc_subject == bindparam("oidc_subject")))
_HOLDER_TO_LINK: Final = Query(_holder.where(accounts.c.username_key == bindparam("username_key"), accounts.c.oidc_subject.is_(None)))
_ID: Final = Query(select(accounts.c.id).where(accounts.c.username_key == bindparam("username_key")))
_OTHER_ADMINS: Final = Query(
    select(func.count())
    .select_from(accounts)
    .where(accounts.c.role == "admin", accounts.c.disabled.is_(False), accounts.c.id != bindparam("id"))
)
_ADD_PASSWORD: Final = Query(insert(passwords))
_new_hash: Final = update(passwords).where(passwords.c.account_id == bindparam("id")).values(hash=bindparam("new_hash"))
_SET_PASSWORD: Final = Query(_new_hash)
_SET_HASH: Final = Query(_new_hash.where(passwords.c.hash == bindparam("old_hash")))


@dataclass(frozen=True, slots=True)
class Holder:
    """An account as far as a session needs it."""

    id: int
    username: str
    role: str
    disabled: bool
    generation: int


@dataclass(frozen=True, slots=True)
class LogIn(Holder):
    """An account as log-in needs it. The hash goes nowhere but into the check."""

    hash: str


async def count_accounts(db: Database) -> int:
    """How many accounts there are, disabled ones included."""
    row = await db.one(_COUNT)
    assert row is not None
    return int(row[0])


async def find_log_in(db: Database, username: str) -> LogIn | None:
    """The account of a username, without regard to case; None when there is none."""
    row = await db.one(_LOG_IN, username_key=fold(username))
    return LogIn(*row) if row else None


async def get_log_in(db: Database, account_id: int) -> LogIn:
    """The same by id. Raises NotFound."""
    row = await db.one(_LOG_IN_OF, id=account_id)
    if row is None:
        raise _unknown(account_id)
    return LogIn(*row)


async def find_subject(db: Database, oidc_subject: str) -> Holder | None:
    """The account of somebody at the OpenID provider; None when there is none."""
    row = await db.one(_HOLDER_OF_SUBJECT, oidc_subject=oidc_subject)
    return Holder(*row) if row else None


async def find_unlinked(db: Database, username: str) -> Holder | None:
    """The account of a username, without regard to case, that is nobody's at the OpenID provider yet; None when there is none."""
    row = await db.one(_HOLDER_TO_LINK, username_key=fold(username))
    return Holder(*row) if row else None


async def get_account(db: Database, account_id: int) -> dict[str, Any]:
    """An account as it is shown. Raises NotFound."""
    row = await db.one(_ACCOUNT, id=account_id)
    if row is None:
        raise _unknown(account_id)
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
    return _shown(account)


def add_first_account(conn: Connection, username: str, password_hash: str, author: Author) -> bool:
    """Add an admin where there is no account yet; False when another process was quicker."""
    if conn.all(_COUNT)[0][0]:
        return False
    add_account(conn, username, "admin", password_hash, author)
    return True


def change_account(
    conn: Connection, account_id: int, changes: Mapping[str, Any], condition: Precondition, author: Author
) -> dict[str, Any]:
    """Change role, disabled, employee_id or oidc_subject, and give the account as it is shown. What takes something ends its sessions.

    Raises NotFound, PreconditionFailed, and Conflict naming the field that would leave nobody to keep accounts, or is another account's.
    """
    before = _get(conn, account_id)
    condition.check(before["version"])
    _keep_an_admin(conn, before, {**before, **changes})
    try:
        with conn.savepoint():
            after = ACCOUNTS.change(conn, before, {**changes, "generation": _generation(before, changes)}, author)
    except UniqueViolation as error:
        raise Conflict.of("oidc_subject", "is another account's") from error
    if after["generation"] != before["generation"]:
        sessions.end_all(conn, account_id, author)
    return _shown(after)


def link_subject(conn: Connection, holder: Holder, oidc_subject: str, author: Author) -> None:
    """From now on somebody at the OpenID provider logs in to this account, which is in force and nobody's there yet.

    Raises LogInRefused when it, or whose it is to be, has changed meanwhile.
    """
    before = _get(conn, holder.id)
    if (before["oidc_subject"], before["generation"], before["disabled"]) != (None, holder.generation, False):
        raise LogInRefused("The account has just changed: try again.")
    try:
        with conn.savepoint():
            ACCOUNTS.change(conn, before, {"oidc_subject": oidc_subject}, author)
    except UniqueViolation as error:
        raise LogInRefused("The account has just changed: try again.") from error


def disable(conn: Connection, account_id: int, author: Author) -> bool:
    """Disable an account, the last admin's too, and end its sessions; False when it was disabled already."""
    before = _get(conn, account_id)
    if before["disabled"]:
        return False
    ACCOUNTS.change(conn, before, {"disabled": True, "generation": before["generation"] + 1}, author)
    sessions.end_all(conn, account_id, author)
    return True


def set_password(conn: Connection, account_id: int, password_hash: str, author: Author, *, generation: int | None = None) -> None:
    """Another password: every session ends, and the log has it as a change of `password` beside that of the account.

    Raises NotFound; and NotLoggedIn when the account is no more of the `generation` in which the old password was checked.
    """
    before = _get(conn, account_id)
    if generation is not None and before["generation"] != generation:
        raise NotLoggedIn
    _set_password(conn, before, {}, password_hash, author)


def recover_admin(conn: Connection, username: str, password_hash: str, author: Author) -> int:
    """Give an account a password, the role admin and leave to log in, whatever it had, and nobody to belong to; its id. Raises NotFound."""
    found = conn.one(_ID, username_key=fold(username))
    if found is None:
        raise NotFound(f"There is no account {username!r}.")
    changes = {"role": "admin", "disabled": False, "employee_id": None, "oidc_subject": None}
    _set_password(conn, _get(conn, found[0]), changes, password_hash, author)
    return int(found[0])


def set_hash(account: LogIn, password_hash: str) -> Unit:
    """Keep the same password under better parameters; nothing happens when it is another one by now."""
    return lambda conn: conn.run(_SET_HASH, id=account.id, old_hash=account.hash, new_hash=password_hash)


def _set_password(conn: Connection, before: Record, changes: Mapping[str, Any], password_hash: str, author: Author) -> None:
    after = ACCOUNTS.change(conn, before, {**changes, "generation": before["generation"] + 1}, author)
    conn.run(_SET_PASSWORD, id=after["id"], new_hash=password_hash)
    seq, at = log.next(conn)
    change = Change(seq, at, "password", after["id"], after["version"], "updated", author.actor, author.request_id)
    log.append(conn, change, digest_of({"account_id": after["id"]}))
    sessions.end_all(conn, after["id"], author)


def _keep_an_admin(conn: Connection, before: Record, after: Mapping[str, Any]) -> None:
    field = "disabled" if after["disabled"] else "role"
    if _keeps(before) and not _keeps(after) and conn.all(_OTHER_ADMINS, id=before["id"])[0][0] == 0:
        raise Conflict.of(field, "this is the last admin who is not disabled: make another one first")


def _keeps(account: Mapping[str, Any]) -> bool:
    return account["role"] == "admin" and not account["disabled"]


def _generation(before: Record, changes: Mapping[str, Any]) -> int:
    """One more when all sessions must end: another role, disabled, or no longer that person's at the OpenID provider."""
    told, subject = {**before, **changes}, before["oidc_subject"]
    unlinked = subject is not None and told["oidc_subject"] != subject
    ends = told["role"] != before["role"] or (told["disabled"] and not before["disabled"]) or unlinked
    return int(before["generation"]) + int(ends)


def _get(conn: Connection, account_id: int) -> Record:
    found = ACCOUNTS.get(conn, account_id)
    if found is None:
        raise _unknown(account_id)
    return found


def _shown(account: Mapping[str, Any]) -> dict[str, Any]:
    return {name: account[name] for name in FIELDS}


def _unknown(account_id: int) -> NotFound:
    return NotFound(f"There is no account {account_id}.")

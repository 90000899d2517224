"""Sessions: rows that end, whose beginnings and ends are in the log: the end of one that has worn out, when another begins."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import bindparam, delete, func, insert, select, update

from gateway.errors import NotLoggedIn, WrongCredentials
from gateway.models import accounts, log, sessions
from gateway.store import Unit, tokens
from shared.changes import Author, Change, Kind, digest_of
from shared.db import Connection, Database, Query
from shared.pages import Clause, Listing, Page, Sort

MOST: Final = 100
"""Sessions of an account."""

AT_ONCE: Final = 100
"""Worn-out sessions whose end is noted when one begins."""

EXPIRY: Final = Author("gateway", "expiry")

_IN_FORCE: Final = Query(select(accounts.c.generation, accounts.c.disabled).where(accounts.c.id == bindparam("id")))
_SESSION: Final = Query(
    select(
        sessions.c.id,
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
_ADD: Final = Query(insert(sessions))
_SEEN: Final = Query(update(sessions).where(sessions.c.digest == bindparam("of")).values(seen_at=bindparam("at")))
_ID: Final = Query(select(sessions.c.id, sessions.c.account_id).where(sessions.c.digest == bindparam("digest")))
_OWNER: Final = Query(select(sessions.c.account_id).where(sessions.c.id == bindparam("id")))
_ALL: Final = Query(select(sessions.c.id).where(sessions.c.account_id == bindparam("account_id")).order_by(sessions.c.id))
_COUNT: Final = Query(select(func.count()).select_from(sessions).where(sessions.c.account_id == bindparam("account_id")))
_LAST_USED: Final = Query(
    select(sessions.c.id).where(sessions.c.account_id == bindparam("account_id")).order_by(sessions.c.seen_at.desc(), sessions.c.id.desc())
)
_END: Final = Query(delete(sessions).where(sessions.c.id == bindparam("id")))
_WORN_OUT: Final = Query(
    select(sessions.c.id, sessions.c.account_id)
    .where((sessions.c.seen_at < bindparam("idle_before")) | (sessions.c.created_at < bindparam("begun_before")))
    .order_by(sessions.c.seen_at)
    .limit(AT_ONCE)
)


def _in_force(since: tuple[str, str]) -> Clause:
    """Sessions that are neither unused nor begun since these times."""
    alive = (sessions.c.seen_at > bindparam("idle_since")) & (sessions.c.created_at > bindparam("begun_since"))
    return Clause("in_force", alive, dict(zip(("idle_since", "begun_since"), since, strict=True)), told={})


LISTING: Final = Listing(
    select(sessions.c.id, sessions.c.created_at, sessions.c.seen_at, sessions.c.user_agent),
    sessions.c.id,
    sorts={"id": Sort(sessions.c.id)},
    filters={"account_id": sessions.c.account_id == bindparam("account_id"), "in_force": _in_force},
)


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session and its account; `valid` is whether the account still lets it be."""

    id: int
    account_id: int
    generation: int
    created_at: str
    seen_at: str
    username: str
    role: str
    valid: bool


@dataclass(frozen=True, slots=True)
class NewSession:
    """What is stored of a session that begins, `digest` of its id; `user_agent` is what the client calls itself. With `crowded`, those of
    the account that were unused the longest go, so that there are no more than `MOST` with this one.
    """

    digest: str
    account_id: int
    generation: int
    at: str
    user_agent: str | None
    crowded: bool


async def find_session(db: Database, digest: str) -> SessionRow | None:
    """The session of a digest; None when it has ended."""
    row = await db.one(_SESSION, digest=digest)
    if row is None:
        return None
    *kept, generation, disabled = row
    return SessionRow(*kept, generation == kept[2] and not disabled)  # type: ignore[call-arg]  # a row of unknown length


async def list_sessions(db: Database, account_id: int, since: tuple[str, str], *, cursor: str | None, limit: int) -> Page:
    """A page of an account's sessions in force: used, and begun, since these times."""
    return await LISTING.page(db, {"account_id": account_id, "in_force": since}, cursor=cursor, limit=limit)


async def crowded(db: Database, account_id: int) -> bool:
    """Whether an account has so many sessions that one must end for another to begin."""
    row = await db.one(_COUNT, account_id=account_id)
    return row is not None and row[0] >= MOST


def begin_session(new: NewSession, author: Author, *, ending: str | None, idle_before: str, begun_before: str) -> Unit:
    """A session's row, and its id; that of `ending` (a digest), worn-out ones and the account's expired tokens go. The unit raises
    WrongCredentials when the account has changed since.
    """

    def unit(conn: Connection) -> int:
        check_account(conn, new.account_id, new.generation)
        for session_id, account_id in conn.all(_WORN_OUT, idle_before=idle_before, begun_before=begun_before):
            _end(conn, session_id, account_id, EXPIRY)
        tokens.sweep(conn, new.account_id, author, at=new.at)
        if ending is not None:
            _end_of(conn, ending, author)
        if new.crowded:
            for (session_id,) in conn.all(_LAST_USED, account_id=new.account_id)[MOST - 1 :]:
                _end(conn, session_id, new.account_id, author)
        session_id, _ = log.next(conn)
        row = {"generation": new.generation, "created_at": new.at, "seen_at": new.at, "user_agent": new.user_agent}
        conn.run(_ADD, digest=new.digest, id=session_id, account_id=new.account_id, **row)
        _note(conn, session_id, new.account_id, "created", author)
        return session_id

    return unit


def check_account(conn: Connection, account_id: int, generation: int) -> None:
    """Raises WrongCredentials for an account that is disabled, or whose password or role is another one than in that generation."""
    if conn.one(_IN_FORCE, id=account_id) != (generation, False):
        raise WrongCredentials


def check_session(conn: Connection, digest: str) -> None:
    """Raises NotLoggedIn for a session that was ended, by whatever ends those of its account too."""
    if conn.one(_ID, digest=digest) is None:
        raise NotLoggedIn


def end_session(digest: str, author: Author) -> Unit:
    """The session's row goes; nothing happens when it is gone already."""
    return lambda conn: _end_of(conn, digest, author)


async def owner_of(db: Database, session_id: int) -> int | None:
    """The account of a session; None when it has ended."""
    row = await db.one(_OWNER, id=session_id)
    return row[0] if row else None


def end_one(conn: Connection, session_id: int, author: Author) -> None:
    """End a session; nothing happens when it has ended already."""
    row = conn.one(_OWNER, id=session_id)
    if row is not None:
        _end(conn, session_id, row[0], author)


def end_all(conn: Connection, account_id: int, author: Author, *, but: int | None = None) -> None:
    """End all sessions of an account, `but` one (an id)."""
    for (session_id,) in conn.all(_ALL, account_id=account_id):
        if session_id != but:
            _end(conn, session_id, account_id, author)


def note_seen(digest: str, at: str) -> Unit:
    """When the session was last used."""
    return lambda conn: conn.run(_SEEN, of=digest, at=at)


def _end_of(conn: Connection, digest: str, author: Author) -> None:
    row = conn.one(_ID, digest=digest)
    if row is not None:
        session_id, account_id = row
        _end(conn, session_id, account_id, author)


def _end(conn: Connection, session_id: int, account_id: int, author: Author) -> None:
    conn.run(_END, id=session_id)
    _note(conn, session_id, account_id, "deleted", author)


def _note(conn: Connection, session_id: int, account_id: int, kind: Kind, author: Author) -> None:
    seq, at = log.next(conn)
    version = 1 if kind == "created" else 2
    change = Change(seq, at, "session", session_id, version, kind, author.actor, author.request_id)
    digest: dict[str, Any] = {"id": session_id, "account_id": account_id}
    log.append(conn, change, digest_of(digest))

"""Sessions: a signed cookie (Quart's own, hardened) that names a row in the database, so that ending the row ends every copy of the cookie.

The cookie holds the account's id and generation, the session's id (128 random bits) and its beginning. The row decides: it must be
there, belong to that account and its present generation, and be neither too old nor unused for too long. `revocations` tells when it
need not be asked again.
"""

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from itsdangerous import BadSignature, URLSafeTimedSerializer
from quart import Quart
from quart.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from quart.wrappers import BaseRequestWebsocket

from gateway import store
from gateway.revocations import REREAD, Revocations
from shared.db import Database, Unavailable
from shared.identity import Caller

COOKIE: Final = "__Host-session"
SCOPE_KEY: Final = "session"
FRESH: Final = 1.0
"""Seconds for which a checked cookie is taken without asking anybody: an ended session is dead everywhere after them."""

SEEN_EVERY: Final = 60.0
"""Seconds between two notes of a session's last use."""

ISSUER: Final = "gateway"

KNOWN: Final = 20_000
"""Cookies remembered by one process."""


@dataclass(frozen=True, slots=True)
class Session:
    """A session in force."""

    digest: str
    account_id: int
    caller: Caller
    claims: dict[str, Any]
    since: float
    until: float


@dataclass(slots=True)
class _Known:
    session: Session
    checked: float
    seen: float
    read: float
    stamp: bytes


class SessionCookies(SecureCookieSessionInterface):
    """Quart's session, signed with HMAC-SHA-512; reads what the edge has verified, so that no cookie is checked twice."""

    digest_method = staticmethod(hashlib.sha512)
    salt = "roster-session"

    def __init__(self, keys: Sequence[str]) -> None:
        """`keys`: the first signs, all verify."""
        self._key = keys[0]
        self.serializer_of_keys = URLSafeTimedSerializer(
            list(reversed(keys)),
            salt=self.salt,
            serializer=self.serializer,
            signer_kwargs={"key_derivation": self.key_derivation, "digest_method": self.digest_method},
        )

    def get_signing_serializer(self, app: Quart) -> URLSafeTimedSerializer:
        return self.serializer_of_keys

    async def open_session(self, app: Quart, request: BaseRequestWebsocket) -> SecureCookieSession:
        session = request.scope.get(SCOPE_KEY)
        return SecureCookieSession(session.claims if isinstance(session, Session) else None)

    async def save_session(self, app: Quart, session: SessionMixin, response: Any) -> None:
        """Only what a view has changed: Quart 0.23 takes every session for one that was looked at, and would say so with `Vary`."""
        if session.modified:
            await super().save_session(app, session, response)

    def conceal(self, text: str) -> str:
        """A digest keyed with the key that signs: equal for equal texts, and useless to whoever lacks the key."""
        return hmac.digest(self._key.encode(), b"conceal:" + text.encode("utf-8", "surrogatepass"), "sha512").hex()

    def claims(self, cookie: bytes) -> dict[str, Any] | None:
        """What a cookie says, None when we have not signed it."""
        try:
            claims = self.serializer_of_keys.loads(cookie)
        except BadSignature:
            return None
        return claims if isinstance(claims, dict) else None


class Sessions:
    """Which cookie is whose. `idle` and `absolute` are seconds; `clock` gives seconds since the epoch."""

    def __init__(
        self,
        db: Database,
        cookies: SessionCookies,
        revocations: Revocations,
        *,
        idle: float,
        absolute: float,
        clock: Callable[[], float],
        log: Any,
    ) -> None:
        self._db, self._cookies, self._clock, self._log = db, cookies, clock, log
        self._revocations = revocations
        self._idle, self._absolute = idle, absolute
        self._known: dict[bytes, _Known] = {}
        self._notes: dict[str, asyncio.Task[None]] = {}

    def known(self, cookie: bytes) -> Session | None:
        """The session of a cookie that was checked within the last second; None says nothing: ask `check`."""
        found = self._known.get(cookie)
        if found is None:
            return None
        now = self._clock()
        if not 0 <= now - found.checked < FRESH:
            return None
        found.seen = now
        return found.session

    async def check(self, cookie: bytes) -> Session | None:
        """The session of a cookie by the database, or as it was there when nothing of the account has ended since; None when there is
        none in force. Raises StoreError, ServiceUnavailable.
        """
        known = self._known.get(cookie)
        claims = known.session.claims if known else self._cookies.claims(cookie)
        if claims is None:
            return None
        stamp = await self._revocations.stamp(claims["account"])
        now = self._clock()
        if known and stamp and self._still_holds(known, stamp, now):
            known.checked = known.seen = now
            return known.session
        digest = digest_of(str(claims.get("session")))
        row = await store.find_session(self._db, digest)
        seen = max(seconds(row.seen_at), known.seen if known else 0.0) if row else 0.0
        if row is None or not self._in_force(row, claims, seen, now):
            self._known.pop(cookie, None)
            return None
        entry = _Known(self._session(row, digest, claims), checked=now, seen=now, read=now, stamp=stamp)
        self._remember(cookie, entry)
        if now - seconds(row.seen_at) >= SEEN_EVERY:
            self._note(digest, now)
        return entry.session

    def _still_holds(self, known: _Known, stamp: bytes, now: float) -> bool:
        return known.stamp == stamp and 0 <= now - known.read < REREAD and now < known.session.until and now - known.seen < self._idle

    def _in_force(self, row: store.SessionRow, claims: dict[str, Any], seen: float, now: float) -> bool:
        ours = row.valid and (row.account_id, row.generation) == (claims.get("account"), claims.get("generation"))
        return ours and now - seen < self._idle and now - seconds(row.created_at) < self._absolute

    def _session(self, row: store.SessionRow, digest: str, claims: dict[str, Any]) -> Session:
        caller = Caller(subject=f"account:{row.account_id}", name=row.username, role=row.role, issuer=ISSUER)
        since = seconds(row.created_at)
        return Session(digest, row.account_id, caller, claims, since, since + self._absolute)

    async def lasts(self, session: Session) -> bool:
        """Whether a session is still in force, by the database; that one asks is no use of it. Raises StoreError."""
        row = await store.find_session(self._db, session.digest)
        return row is not None and self._in_force(row, session.claims, seconds(row.seen_at), self._clock())

    async def begin(self, account: store.LogIn, *, ending: Session | None) -> Session:
        """A new session, its row stored and that of `ending` gone. Raises WrongCredentials when the account has changed meanwhile."""
        session_id, now = secrets.token_urlsafe(16), self._clock()
        row = store.SessionRow(account.id, account.generation, moment(now), moment(now), account.username, account.role, valid=True)
        claims = {"account": account.id, "session": session_id, "generation": account.generation, "since": int(now)}
        session = self._session(row, digest_of(session_id), claims)
        unit = store.begin_session(
            row,
            session.digest,
            ending=ending.digest if ending else None,
            idle_before=moment(now - self._idle - SEEN_EVERY),
            begun_before=moment(now - self._absolute),
        )
        async with self._changing(ending):
            await self._db.write(unit)
        if ending:
            self.forget(ending)
        return session

    async def end(self, session: Session) -> None:
        """The row goes, and with it every copy of the cookie: here at once, in other processes within `FRESH`."""
        async with self._changing(session):
            await self._db.write(store.end_session(session.digest))
        self.forget(session)

    def _changing(self, ending: Session | None) -> AbstractAsyncContextManager[None]:
        return nullcontext() if ending is None else self._revocations.changing(ending.account_id)

    def forget(self, session: Session) -> None:
        """Ask the database again at the next request."""
        for cookie in [cookie for cookie, known in self._known.items() if known.session.digest == session.digest]:
            del self._known[cookie]

    async def close(self) -> None:
        """Wait for the notes under way."""
        await asyncio.gather(*self._notes.values(), return_exceptions=True)

    def _remember(self, cookie: bytes, entry: _Known) -> None:
        if len(self._known) >= KNOWN:
            del self._known[next(iter(self._known))]
        self._known[cookie] = entry

    def _note(self, digest: str, now: float) -> None:
        """Write down the last use, without keeping the request waiting; a second note within the minute is left out."""
        if digest not in self._notes:
            self._notes[digest] = task = asyncio.create_task(self._write_note(digest, now))
            task.add_done_callback(lambda _: self._notes.pop(digest, None))

    async def _write_note(self, digest: str, now: float) -> None:
        try:
            await self._db.write(store.note_seen(digest, moment(now)))
        except Unavailable:
            self._log.warning("a session's use could not be noted", exc_info=True)


def digest_of(session_id: str) -> str:
    """What the database keeps of a session id."""
    return hashlib.sha256(session_id.encode()).hexdigest()


def moment(at: float) -> str:
    """Seconds since the epoch as the store writes times."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds(text: str) -> float:
    """The store's time as seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp()

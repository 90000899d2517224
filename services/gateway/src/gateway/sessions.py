"""Sessions: a signed cookie (Quart's own, hardened) that names a row in the database, so that ending the row ends every copy of the cookie.

The cookie holds the account's id and generation, the session's id (128 random bits) and its beginning. The row decides: it must be
there, belong to that account and its present generation, and be neither too old nor unused for too long. `revocations` tells when it
need not be asked again.
"""

import hashlib
import hmac
import secrets
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from itsdangerous import BadSignature, URLSafeTimedSerializer
from quart import Quart
from quart.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from quart.wrappers import BaseRequestWebsocket

from gateway.credentials import NOTED_EVERY, SCOPE_KEY, Credentials, Found, Grant, caller_of, digest_of, moment, seconds
from gateway.revocations import Revocations
from gateway.store import Unit
from gateway.store import sessions as store
from gateway.store.accounts import Holder
from shared.changes import Author
from shared.db import Database

COOKIE: Final = "__Host-session"
USER_AGENT: Final = 200
"""Characters that are kept of what a client calls itself."""


@dataclass(frozen=True, slots=True)
class Session(Grant):
    """A session in force; times in seconds since the epoch."""

    claims: dict[str, Any]
    since: float
    until: float


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


class Sessions(Credentials[Session]):
    """Which cookie is whose. `idle` and `absolute` are seconds."""

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
        super().__init__(db, revocations, clock, log)
        self._cookies = cookies
        self._idle, self._absolute = idle, absolute

    async def _find(self, shown: bytes, known: Session | None, used: float, now: float) -> Found[Session] | None:
        claims = known.claims if known else self._cookies.claims(shown)
        if claims is None:
            return None
        digest = digest_of(str(claims.get("session")))
        row = await store.find_session(self._db, digest)
        if row is None or not self._in_force(row, claims, max(seconds(row.seen_at), used), now):
            return None
        since = seconds(row.created_at)
        caller = caller_of(row.account_id, row.username, row.role)
        session = Session(digest, row.id, row.account_id, caller, claims, since, self.until(since), shown=shown)
        return Found(session, seconds(row.seen_at))

    def _in_force(self, row: store.SessionRow, claims: dict[str, Any], used: float, now: float) -> bool:
        ours = row.valid and (row.account_id, row.generation) == (claims.get("account"), claims.get("generation"))
        return ours and now - used < self._idle and now - seconds(row.created_at) < self._absolute

    def _lasts(self, grant: Session, used: float, now: float) -> bool:
        return now < grant.until and now - used < self._idle

    def may_be_guessed(self, shown: bytes) -> bool:
        """Nobody guesses what we have signed: noise from an address keeps nobody out who has just logged in there."""
        return super().may_be_guessed(shown) and self._cookies.claims(shown) is None

    def _account_of(self, shown: bytes) -> int | None:
        claims = self._cookies.claims(shown)
        return claims.get("account") if claims else None

    def _noted(self, digest: str, at: str) -> Unit:
        return store.note_seen(digest, at)

    def until(self, since: float) -> float:
        """When a session that began then ends at the latest."""
        return since + self._absolute

    def in_force_since(self) -> tuple[str, str]:
        """The times since which a session must have been used, and have begun, to be in force."""
        now = self._clock()
        return moment(now - self._idle), moment(now - self._absolute)

    async def begin(self, account: Holder, *, ending: Session | None, user_agent: str | None, request_id: str) -> Session:
        """A new session, its row stored and that of `ending` gone; where the account has too many, also the one unused the longest.

        Raises WrongCredentials when the account has changed meanwhile.
        """
        secret, now = secrets.token_urlsafe(16), self._clock()
        caller = caller_of(account.id, account.username, account.role)
        claims = {"account": account.id, "session": secret, "generation": account.generation, "since": int(now)}
        agent = user_agent[:USER_AGENT] if user_agent else None
        crowded = await store.crowded(self._db, account.id)
        unit = store.begin_session(
            store.NewSession(digest_of(secret), account.id, account.generation, moment(now), agent, crowded),
            Author(caller.subject, request_id),
            ending=ending.digest if ending else None,
            idle_before=moment(now - self._idle - NOTED_EVERY),
            begun_before=moment(now - self._absolute),
        )
        of = {ending.account_id} if ending else set()
        async with self._ending(of | ({account.id} if crowded else set())):
            session_id = await self._db.write(unit)
        return Session(digest_of(secret), session_id, account.id, caller, claims, now, self.until(now))

    async def end(self, session: Session, author: Author) -> None:
        """The row goes, and with it every copy of the cookie: here at once, in other processes within `FRESH`."""
        async with self._ending({session.account_id}):
            await self._db.write(store.end_session(session.digest, author))

    @asynccontextmanager
    async def _ending(self, accounts: Collection[int]) -> AsyncIterator[None]:
        """What is written inside ends sessions of these accounts: the database decides about all of theirs again, at once here."""
        async with AsyncExitStack() as around:
            for account_id in sorted(accounts):
                await around.enter_async_context(self._revocations.changing(account_id))
            yield
        for account_id in accounts:
            self.forget(account_id)

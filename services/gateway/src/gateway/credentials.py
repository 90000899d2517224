"""What is shown with a request, a session's cookie or a token, and whose it is.

The database decides. What it has said is taken for up to a second without asking anybody again, so what is ended or revoked is dead
everywhere after that: at once in the process that ended it, which forgets what it knew of the account. How others learn of it is in
`revocations`.
"""

import asyncio
import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Generic, TypeVar

from gateway.errors import ServiceUnavailable
from gateway.revocations import REREAD, Revocations
from gateway.store import Unit
from shared.db import Database, StoreError, Unavailable
from shared.identity import Caller

SCOPE_KEY: Final = "session"
"""Where the edge leaves what it found in the ASGI scope: a Grant, or the Problem of a store that can't be asked."""

FRESH: Final = 0.9
"""Seconds for which something is taken as it was found in the database. What was ended is refused everywhere within a second: the rest is
for the answers under way."""

AHEAD: Final = 0.6
"""Seconds after which the database is asked by the way, so that who asks all the time never waits for it."""

CHECK: Final = 1.0
"""Seconds that it may take to find out whose something is."""

NOTED_EVERY: Final = 60.0
"""Seconds between two notes of a last use."""

KNOWN: Final = 20_000
"""Cookies, and tokens, remembered by one process."""

ISSUER: Final = "gateway"


@dataclass(frozen=True, slots=True)
class Grant:
    """Somebody who was let in: `digest` is what the database calls the cookie or token, `id` what people call it, `shown` is what came with
    the request.
    """

    digest: str
    id: int
    account_id: int
    caller: Caller
    shown: bytes = field(default=b"", kw_only=True, repr=False, compare=False)


G = TypeVar("G", bound=Grant)


@dataclass(frozen=True, slots=True)
class Found(Generic[G]):
    """What the database has: the grant, and when a use of it was noted last (seconds since the epoch)."""

    grant: G
    noted: float


@dataclass(slots=True)
class _Known(Generic[G]):
    grant: G
    checked: float
    used: float
    read: float
    stamp: bytes
    renewing: bool = False


class _Check:
    """A question to the database that is under way: the accounts that were forgotten meanwhile, of which it may have read what is over."""

    __slots__ = ("forgotten",)

    def __init__(self) -> None:
        self.forgotten: set[int] = set()


class Credentials(Generic[G]):
    """Whose one kind of credential is. `clock` gives seconds since the epoch."""

    def __init__(self, db: Database, revocations: Revocations, clock: Callable[[], float], log: Any) -> None:
        self._db, self._revocations, self._clock, self._log = db, revocations, clock, log
        self._known: dict[bytes, _Known[G]] = {}
        self._notes: dict[str, asyncio.Task[None]] = {}
        self._renewals: set[asyncio.Task[None]] = set()
        self._checks: set[_Check] = set()

    async def _find(self, shown: bytes, known: G | None, used: float, now: float) -> Found[G] | None:
        """What the database has for what was shown; None when nothing is in force. `known` is what it had before, `used` when it was
        used last in this process.
        """
        raise NotImplementedError

    def _lasts(self, grant: G, used: float, now: float) -> bool:
        """Whether it has not ended by itself."""
        raise NotImplementedError

    def _account_of(self, shown: bytes) -> int | None:
        """Whose it says that it is, where that can be known without asking."""
        return None

    def _noted(self, digest: str, at: str) -> Unit:
        """Writes down a use."""
        raise NotImplementedError

    def known(self, shown: bytes) -> G | None:
        """Who was let in with this within the last second; None says nothing: ask `check`."""
        now = self._clock()
        found = self._fresh(shown, now)
        if found is None:
            return None
        found.used = now
        if now - found.checked > AHEAD and not found.renewing:
            found.renewing = True
            task = asyncio.get_running_loop().create_task(self._renew(shown))
            self._renewals.add(task)
            task.add_done_callback(self._renewals.discard)
        return found.grant

    async def lasts(self, grant: G) -> bool:
        """Whether it is in force still, as it was within the last second; that one asks is no use of it. Raises ServiceUnavailable."""
        return self._fresh(grant.shown, self._clock()) is not None or await self._check(grant.shown, is_use=False) is not None

    def _fresh(self, shown: bytes, now: float) -> _Known[G] | None:
        found = self._known.get(shown)
        return found if found is not None and 0 <= now - found.checked < FRESH else None

    async def _renew(self, shown: bytes) -> None:
        """Ask before anybody has to wait for it. Where nobody answers, the next request that finds it no longer fresh asks again."""
        with suppress(ServiceUnavailable):
            await self.check(shown)

    def may_be_guessed(self, shown: bytes) -> bool:
        """Whether nobody was let in with this before, or somebody was refused since, and anybody could have made it up."""
        return shown not in self._known

    async def check(self, shown: bytes) -> G | None:
        """Who is let in with this by the database, or as it was there when nothing of the account has ended since; None for nobody.

        Raises ServiceUnavailable, after `CHECK` at the latest.
        """
        return await self._check(shown, is_use=True)

    async def _check(self, shown: bytes, *, is_use: bool) -> G | None:
        check = _Check()
        self._checks.add(check)
        try:
            async with asyncio.timeout(CHECK):
                return await self._ask(shown, check, is_use=is_use)
        except (StoreError, ServiceUnavailable, TimeoutError) as error:
            raise ServiceUnavailable("Sessions and tokens can't be checked at the moment.") from error
        finally:
            self._checks.discard(check)

    async def _ask(self, shown: bytes, check: _Check, *, is_use: bool) -> G | None:
        known = self._known.get(shown)
        account_id = known.grant.account_id if known else self._account_of(shown)
        stamp = b"" if account_id is None else await self._revocations.stamp(account_id)
        now = self._clock()
        if known and stamp and self._still_holds(known, stamp, now):
            known.checked, known.renewing = now, False
            known.used = now if is_use else known.used
            return known.grant
        found = await self._find(shown, known.grant if known else None, known.used if known else 0.0, now)
        if found is None:
            self._known.pop(shown, None)
            return None
        if found.grant.account_id not in check.forgotten:
            if len(self._known) >= KNOWN:
                del self._known[next(iter(self._known))]
            used = now if is_use else known.used if known else 0.0
            self._known[shown] = _Known(found.grant, checked=now, used=used, read=now, stamp=stamp)
        if is_use and now - found.noted >= NOTED_EVERY:
            self._note(found.grant.digest, now)
        return found.grant

    def _still_holds(self, known: _Known[G], stamp: bytes, now: float) -> bool:
        return known.stamp == stamp and 0 <= now - known.read < REREAD and self._lasts(known.grant, known.used, now)

    def forget(self, account_id: int) -> None:
        """Ask the database again at the account's next request."""
        for check in self._checks:
            check.forgotten.add(account_id)
        for shown in [shown for shown, known in self._known.items() if known.grant.account_id == account_id]:
            del self._known[shown]

    async def close(self) -> None:
        """Wait for what is under way."""
        for tasks in (self._renewals, self._notes.values()):  # the first may begin some of the second
            await asyncio.gather(*tasks, return_exceptions=True)

    def _note(self, digest: str, now: float) -> None:
        """Write down the last use, without keeping the request waiting; a second note within the minute is left out."""
        if digest not in self._notes:
            self._notes[digest] = task = asyncio.create_task(self._write_note(digest, now))
            task.add_done_callback(lambda _: self._notes.pop(digest, None))

    async def _write_note(self, digest: str, now: float) -> None:
        try:
            await self._db.write(self._noted(digest, moment(now)))
        except Unavailable:
            self._log.warning("a last use could not be noted", exc_info=True)


def caller_of(account_id: int, username: str, role: str) -> Caller:
    """Who asks, as the services are told."""
    return Caller(subject=f"account:{account_id}", name=username, role=role, issuer=ISSUER)


def digest_of(secret: str) -> str:
    """What the database keeps of a session id or a token: they are random enough for a hash without salt."""
    return hashlib.sha256(secret.encode()).hexdigest()


def moment(at: float) -> str:
    """Seconds since the epoch as the store writes times."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds(text: str) -> float:
    """The store's time as seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp()

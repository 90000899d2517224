"""Tokens: what programs show instead of a session's cookie, as `Authorization: Bearer roster_…` (RFC 6750).

A token is 256 random bits behind a prefix by which it is known where it turns up; the database has its SHA-256. What it may do is what its
scope and its account's role both allow, as they are when it is used.
"""

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.credentials import Credentials, Found, Grant, caller_of, digest_of, seconds
from gateway.revocations import Revocations
from gateway.store import Unit
from gateway.store import tokens as store
from shared.db import Database
from shared.operations import ROLES

SCOPES: Final[Mapping[str, str]] = {"read": "viewer", "write": "editor", "admin": "admin"}
"""The role that each scope allows at most, from the least on."""

_SHAPE: Final = re.compile(rb"roster_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class TokenGrant(Grant):
    """A token in force; `since` and `ends` in seconds since the epoch, None for when it is revoked."""

    scope: str
    since: float
    ends: float | None


class Tokens(Credentials[TokenGrant]):
    """Which token is whose."""

    def __init__(self, db: Database, revocations: Revocations, *, clock: Callable[[], float], log: Any) -> None:
        super().__init__(db, revocations, clock, log)

    async def _find(self, shown: bytes, known: TokenGrant | None, used: float, now: float) -> Found[TokenGrant] | None:
        if _SHAPE.fullmatch(shown) is None:
            return None
        digest = digest_of(shown.decode("ascii"))
        row = await store.find_token(self._db, digest)
        if row is None or row.disabled:
            return None
        ends = seconds(row.expires_at) if row.expires_at else None
        if ends is not None and now >= ends:
            return None
        caller = caller_of(row.account_id, row.username, lower(row.role, SCOPES[row.scope]))
        noted = seconds(row.used_at) if row.used_at else 0.0
        return Found(TokenGrant(digest, row.id, row.account_id, caller, row.scope, seconds(row.created_at), ends, shown=shown), noted)

    def _lasts(self, grant: TokenGrant, used: float, now: float) -> bool:
        return grant.ends is None or now < grant.ends

    def _noted(self, digest: str, at: str) -> Unit:
        return store.note_used(digest, at)

    def now(self) -> float:
        """The time by which tokens expire, in seconds since the epoch."""
        return self._clock()


def new_token() -> str:
    """The text of a new token."""
    return f"roster_{secrets.token_urlsafe(32)}"


def lower(role: str, other: str) -> str:
    """The one of two roles that may do less."""
    return min(role, other, key=ROLES.index)


def scopes_within(role: str) -> list[str]:
    """The scopes that allow no more than a role."""
    return [scope for scope, most in SCOPES.items() if ROLES.index(most) <= ROLES.index(role)]

"""What every route of the gateway works with."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, cast

from quart import Response, current_app, request

from gateway.clients import Ask, Instant, Upstream
from gateway.credentials import SCOPE_KEY, Grant
from gateway.edge.deadlines import for_services
from gateway.edge.proxies import counted_as
from gateway.errors import InvalidToken, NeedsSession, NotLoggedIn
from gateway.limits import Limits
from gateway.oidc import OpenId
from gateway.outlets import Outlets
from gateway.passwords import Passwords
from gateway.revocations import Revocations
from gateway.sessions import Session, Sessions
from gateway.store import accounts
from gateway.tokens import TokenGrant, Tokens
from gateway.views import Joined
from shared.context import caller, database, exchange
from shared.errors import Forbidden, Problem
from shared.operations import Limit
from shared.responses import respond
from shared.timeline import explicit_instant

EXTENSION: Final = "gateway"


@dataclass(frozen=True, slots=True)
class Parts:
    """The gateway's own parts, made by `create_app`."""

    employees: Upstream
    teams: Upstream
    sessions: Sessions
    tokens: Tokens
    revocations: Revocations
    passwords: Passwords
    limits: Limits
    outlets: Outlets
    openid: OpenId | None
    """Log-in by OpenID Connect, where it is set up."""
    conceal: Callable[[str], str]
    """A keyed digest: equal for equal texts, and useless to whoever lacks the key."""
    log: Any

    @asynccontextmanager
    async def ending(self, account_id: int) -> AsyncIterator[None]:
        """What is written inside ends something of an account: the database decides about all of it again, at once here."""
        async with self.revocations.changing(account_id):
            yield
        self.sessions.forget(account_id)
        self.tokens.forget(account_id)

    async def lasts(self, found: Grant) -> bool:
        """Whether a session or token is in force still. Raises ServiceUnavailable."""
        return await (self.sessions.lasts(found) if isinstance(found, Session) else self.tokens.lasts(cast("TokenGrant", found)))


def gateway() -> Parts:
    """The parts of this app."""
    return cast("Parts", current_app.extensions[EXTENSION])


def ask(as_of: str | None = None) -> Ask:
    """The present request as the services see it. Raises BadRequest for an `as_of` that is no time."""
    now = exchange()
    instant = None if as_of is None else Instant(explicit_instant(as_of))
    return Ask(caller(), now.request_id, now.traceparent, for_services(now), instant)


def told(asked: Ask) -> dict[str, str]:
    """The headers that say what instant an answer is about."""
    return {} if asked.instant is None else {"X-As-Of": asked.instant.at, "X-As-Of-Stable": asked.instant.stable}


def grant() -> Grant | None:
    """Who was let in by the edge: with a session, with a token, or nobody. Raises the Problem of a store that could not be asked."""
    found: Any = request.scope.get(SCOPE_KEY)
    if isinstance(found, Problem):
        raise found
    return found if isinstance(found, Grant) else None


async def check_again() -> None:
    """Who was let in may have been shut out while the answer was waited for. Raises NotLoggedIn, InvalidToken, ServiceUnavailable."""
    found = grant()
    if found is not None and not await gateway().lasts(found):
        raise NotLoggedIn if isinstance(found, Session) else InvalidToken


def session() -> Session:
    """The caller's session. Raises NotLoggedIn without one, NeedsSession for a token."""
    found = grant()
    if found is None:
        raise NotLoggedIn
    if not isinstance(found, Session):
        raise NeedsSession
    return found


async def account_asked(account_id: int | None) -> int:
    """Whose things are asked for: one's own, or an account's. Raises Forbidden for another's, unless an admin asks, and NotFound."""
    found = grant()
    if found is None:
        raise NotLoggedIn
    if account_id not in (None, found.account_id) and found.caller.role != "admin":
        raise Forbidden("This needs the role admin for other accounts than one's own.")
    if account_id is None:
        return found.account_id
    await accounts.get_account(database(), account_id)
    return account_id


async def guess(username: str, *, elsewhere: bool = False) -> dict[str, str]:
    """Count a try of somebody's password from where the request comes; what the answer says of it. Raises TooManyRequests.

    `elsewhere` than at log-in, where the edge counts what comes from one address, that is counted here too.
    """
    client = request.scope.get("client")
    address = counted_as(client[0]) if client else ""
    if elsewhere:
        await gateway().limits.ask(Limit.PASSWORD, "", address)
    headers = await gateway().limits.guess(address, username)
    return {name.decode(): value.decode() for name, value in headers}


def wants_all() -> bool:
    """Whether the caller would rather have an error than an answer with parts missing (RFC 7240: handling=strict)."""
    return any(
        preference.partition(";")[0].replace(" ", "").lower() == "handling=strict"
        for line in request.headers.getlist("Prefer")
        for preference in line.split(",")
    )


def answer(joined: Joined, asked: Ask, *, strict: bool) -> Response:
    """A joined document, with what is missing said in it and in its headers."""
    document = joined.document
    headers = {"X-Gateway-Complete": "true" if joined.complete else "false", **told(asked)}
    if not joined.complete:
        document = {**document, "_parts": joined.failures}
    if strict:
        headers["Preference-Applied"] = "handling=strict"
    return respond(document, headers=headers)

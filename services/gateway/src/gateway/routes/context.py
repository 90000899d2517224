"""What every route of the gateway works with."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

from quart import Response, current_app, request

from gateway.clients import Ask, Upstream
from gateway.edge.deadlines import for_services
from gateway.edge.proxies import counted_as
from gateway.limits import Limits
from gateway.outlets import Outlets
from gateway.passwords import Passwords
from gateway.sessions import SCOPE_KEY, Session, Sessions
from gateway.views import Joined
from shared.context import caller, exchange
from shared.responses import respond

EXTENSION: Final = "gateway"


@dataclass(frozen=True, slots=True)
class Parts:
    """The gateway's own parts, made by `create_app`."""

    employees: Upstream
    teams: Upstream
    sessions: Sessions
    passwords: Passwords
    limits: Limits
    outlets: Outlets
    conceal: Callable[[str], str]
    """A keyed digest: equal for equal texts, and useless to whoever lacks the key."""


def gateway() -> Parts:
    """The parts of this app."""
    return cast("Parts", current_app.extensions[EXTENSION])


def ask() -> Ask:
    """The present request as the services see it."""
    now = exchange()
    return Ask(caller(), now.request_id, now.traceparent, for_services(now))


def session() -> Session | None:
    """The caller's session, as the edge found it."""
    found: Any = request.scope.get(SCOPE_KEY)
    return found if isinstance(found, Session) else None


async def guess(username: str) -> dict[str, str]:
    """Count a try of somebody's password from where the request comes; what the answer says of it. Raises TooManyRequests."""
    client = request.scope.get("client")
    headers = await gateway().limits.guess(counted_as(client[0]) if client else "", username)
    return {name.decode(): value.decode() for name, value in headers}


def wants_all() -> bool:
    """Whether the caller would rather have an error than an answer with parts missing (RFC 7240: handling=strict)."""
    return any(
        preference.partition(";")[0].replace(" ", "").lower() == "handling=strict"
        for line in request.headers.getlist("Prefer")
        for preference in line.split(",")
    )


def answer(joined: Joined, *, strict: bool) -> Response:
    """A joined document, with what is missing said in it and in its headers."""
    document = joined.document
    headers = {"X-Gateway-Complete": "true" if joined.complete else "false"}
    if not joined.complete:
        document = {**document, "_parts": joined.failures}
    if strict:
        headers["Preference-Applied"] = "handling=strict"
    return respond(document, headers=headers)

"""Logging in by OpenID Connect: the browser is sent to the provider, and comes back with a code."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from quart import Blueprint, Response, request

from gateway.errors import LogInRefused
from gateway.oidc import COOKIE, LASTS, OpenId, Person
from gateway.routes.context import gateway
from gateway.routes.credentials import begin_session, client
from gateway.schemas.access import LoggedInQuery, LogInQuery
from gateway.store import accounts
from gateway.store.accounts import Holder
from shared.changes import Author
from shared.context import database, request_id
from shared.errors import BadRequest, NotFound, Problem
from shared.operations import PUBLIC, Limit, operation

blueprint: Final = Blueprint("login", __name__)
ASKING: Final = 8.0
"""Seconds that a log-in may take, the provider's part of it included."""


@blueprint.get("/v1/login")
@operation(
    allow=PUBLIC,
    query=LogInQuery,
    responses={302: None},
    problems=(404, 502, 503),
    gives={302: ("Set-Cookie",)},
    budget=ASKING,
)
async def begin_login(query: LogInQuery) -> Response:
    """Go to the OpenID provider to log in, and come back to `return_to`, a path here. 404 where none is set up."""
    if not query.return_to.isprintable():
        raise BadRequest.of("return_to", "is no path")
    openid = _openid()
    with _told():
        url, cookie = await openid.begin(query.return_to)
    return _sent(url, cookie)


@blueprint.get("/v1/login/callback")
@operation(
    allow=PUBLIC,
    query=LoggedInQuery,
    responses={302: None},
    problems=(401, 404, 502, 503),
    gives={302: ("Set-Cookie", "Vary")},
    limit=Limit.PASSWORD,
    budget=ASKING,
)
async def finish_login(query: LoggedInQuery) -> Response:
    """Come back from the OpenID provider: a session begins for the account of who has logged in there. One that was there before ends."""
    openid = _openid()
    flow = openid.resume(request.cookies.get(COOKIE), query.state, query.iss)
    if query.error is not None:
        raise LogInRefused("The OpenID provider let nobody in.")
    if not query.code:
        raise BadRequest.of("code", "required")
    with _told():
        person = await openid.finish(flow, query.code)
    await begin_session(await _account_of(person))
    return _sent(flow.return_to, None)


async def _account_of(person: Person) -> Holder:
    """Whose account it is: the one that belongs to them, or the one of their username, which is theirs from now on. Raises LogInRefused.

    An admin's account is nobody's because of a username: who may choose their username at the provider could choose that one.
    """
    found = await accounts.find_subject(database(), person.subject)
    if found is None and person.username is not None:
        found = await accounts.find_unlinked(database(), person.username)
        if found is not None and found.role != "admin" and not found.disabled:
            holder, who = found, Author(f"account:{found.id}", request_id())
            await database().write(lambda conn: accounts.link_subject(conn, holder, person.subject, who))
            return found
        found = None
    if found is None or found.disabled:
        account = f"account:{found.id}" if found else None
        log = gateway().log
        log.warning("log-in refused", account=account, oidc_subject=person.subject, client=client(), request_id=request_id())
        raise LogInRefused("No account here that is in force belongs to who has logged in at the OpenID provider: an admin can link one.")
    return found


@contextmanager
def _told() -> Iterator[None]:
    """What the provider does wrong is in the log too: who keeps the gateway does not see the answer."""
    try:
        yield
    except Problem as problem:
        gateway().log.warning("log-in failed at the provider", reason=problem.detail, client=client(), request_id=request_id())
        raise


def _openid() -> OpenId:
    found = gateway().openid
    if found is None:
        raise NotFound("Log-in by OpenID Connect is not set up here.")
    return found


def _sent(url: str, cookie: str | None) -> Response:
    """302, with the cookie of a log-in that begins; None for one that is over."""
    response = Response(b"", 302, headers={"Location": url})
    del response.headers["Content-Type"]
    kept: dict[str, Any] = {"secure": True, "httponly": True, "path": "/", "samesite": "Lax"}
    if cookie is None:
        response.delete_cookie(COOKIE, **kept)
    else:
        response.set_cookie(COOKIE, cookie, max_age=LASTS, **kept)
    return response

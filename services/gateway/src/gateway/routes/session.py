"""Logging in, seeing who is logged in, and logging out."""

from typing import Final, cast

import quart
from quart import Blueprint, Response, request

from gateway import passwords, store
from gateway.errors import NotLoggedIn, WrongCredentials
from gateway.routes.context import gateway, guess, session
from gateway.schemas import Credentials, SessionState
from gateway.sessions import Session, moment
from shared.bodies import convert_body
from shared.context import database
from shared.errors import BadRequest, FieldError
from shared.operations import PUBLIC, READ, Limit, operation
from shared.responses import no_content, respond

blueprint: Final = Blueprint("session", __name__)


@blueprint.post("/v1/session")
@operation(
    allow=PUBLIC,
    limit=Limit.PASSWORD,
    body=Credentials,
    body_optional=True,
    responses={200: SessionState},
    problems=(401, 403, 503),
    gives={200: ("Set-Cookie",)},
    credentials=("basic",),
)
async def log_in(body: Credentials | None) -> Response:
    """Log in, by a JSON body or by HTTP Basic. A session that was there before ends."""
    given = body or _basic()
    parts, db, told = gateway(), database(), await guess(given.username)
    account = await store.find_log_in(db, given.username)
    if not await parts.passwords.check(account.hash if account else None, given.password) or account is None or account.disabled:
        raise WrongCredentials(told)
    if passwords.stale(account.hash):
        await db.write(store.set_hash(account.id, await parts.passwords.hash(given.password)))
    begun = await parts.sessions.begin(account, ending=session())
    quart.session.clear()
    quart.session.update(begun.claims)
    return respond(_state(begun), headers=told)


@blueprint.get("/v1/session")
@operation(allow=READ, responses={200: SessionState})
async def get_session() -> Response:
    """Who is logged in."""
    found = session()
    if found is None:
        raise NotLoggedIn
    return respond(_state(found))


@blueprint.delete("/v1/session")
@operation(allow=READ, responses={204: None}, gives={204: ("Set-Cookie", "Vary")})
async def log_out() -> Response:
    """Log out: every copy of the cookie is dead."""
    found = session()
    if found is None:
        raise NotLoggedIn
    await gateway().sessions.end(found)
    quart.session.clear()
    return no_content()


def _basic() -> Credentials:
    """The credentials of HTTP Basic, within the bounds of those in a body. Raises BadRequest without any, Invalid."""
    given = request.authorization
    if given is None or given.type != "basic" or given.username is None or given.password is None:
        raise BadRequest(
            "Give username and password, as a JSON body or as HTTP Basic.",
            errors=[FieldError("username", "required"), FieldError("password", "required")],
        )
    if "\0" in given.username:
        raise BadRequest.of("username", "has a NUL character")
    return cast("Credentials", convert_body(Credentials, {"username": given.username, "password": given.password}))


def _state(found: Session) -> SessionState:
    return SessionState(
        account_id=found.account_id,
        username=found.caller.name,
        role=found.caller.role,  # type: ignore[arg-type]  # the store holds no other
        since=moment(found.since),
        until=moment(found.until),
    )

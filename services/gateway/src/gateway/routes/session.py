"""Logging in, seeing who is logged in, and logging out."""

from typing import Final

import quart
from quart import Blueprint, Response

from gateway.credentials import moment
from gateway.routes.context import gateway, grant, session
from gateway.routes.credentials import begin_session, check_credentials
from gateway.schemas.access import Credentials, SessionState
from gateway.sessions import Session
from gateway.tokens import TokenGrant
from shared.context import author
from shared.operations import PUBLIC, READ, Limit, operation
from shared.responses import no_content, respond

blueprint: Final = Blueprint("session", __name__)
NEVER: Final = "9999-12-31T23:59:59.999999Z"
"""When a token ends that has no end."""


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
    account, told = await check_credentials(body)
    return respond(state_of(await begin_session(account)), headers=told)


@blueprint.get("/v1/session")
@operation(allow=READ, responses={200: SessionState})
async def get_session() -> Response:
    """Who asks: who is logged in, or whose token it is, and the role that it gives."""
    found = grant()
    return respond(state_of(found if isinstance(found, TokenGrant) else session()))


@blueprint.delete("/v1/session")
@operation(allow=READ, responses={204: None}, gives={204: ("Set-Cookie", "Vary")})
async def log_out() -> Response:
    """Log out: every copy of the cookie is dead."""
    await gateway().sessions.end(session(), author())
    quart.session.clear()
    return no_content()


def state_of(found: Session | TokenGrant) -> SessionState:
    """A session or a token as it is answered."""
    until = found.until if isinstance(found, Session) else found.ends
    return SessionState(
        account_id=found.account_id,
        username=found.caller.name,
        role=found.caller.role,  # type: ignore[arg-type]  # the store holds no other
        since=moment(found.since),
        until=NEVER if until is None else moment(until),
    )

"""One's own sessions, listed and ended; those of others for admins."""

from functools import partial
from typing import Any, Final

from quart import Blueprint, Response

from gateway.credentials import moment, seconds
from gateway.routes.context import account_asked, gateway, grant, session
from gateway.schemas.access import SessionPage, SessionsQuery, WhoseQuery
from gateway.sessions import Session
from gateway.store import sessions
from shared.context import author, caller, database
from shared.errors import NotFound
from shared.listing import respond_page
from shared.operations import READ, operation
from shared.responses import no_content

blueprint: Final = Blueprint("sessions", __name__)


@blueprint.get("/v1/sessions")
@operation(allow=READ, query=SessionsQuery, responses={200: SessionPage}, problems=(404, 410))
async def list_sessions(query: SessionsQuery) -> Response:
    """The sessions in force, a page at a time."""
    account_id, current = await _whose(query.account_id)
    kept = gateway().sessions
    page = await sessions.list_sessions(database(), account_id, kept.in_force_since(), cursor=query.cursor, limit=query.limit)

    def shown(session_id: int, created_at: str, seen_at: str, user_agent: str | None) -> dict[str, Any]:
        until = moment(kept.until(seconds(created_at)))
        known = {"id": session_id, "created_at": created_at, "last_seen_at": seen_at, "until": until, "user_agent": user_agent}
        return {**known, "current": session_id == current}

    return respond_page(page, shown)


@blueprint.delete("/v1/sessions")
@operation(allow=READ, query=WhoseQuery, responses={204: None}, problems=(404,))
async def end_sessions(query: WhoseQuery) -> Response:
    """End all sessions but the one that asks."""
    account_id, current = await _whose(query.account_id)
    async with gateway().ending(account_id):
        await database().write(partial(sessions.end_all, account_id=account_id, author=author(), but=current))
    return no_content()


@blueprint.delete("/v1/sessions/<int:session_id>")
@operation(allow=READ, responses={204: None})
async def end_session(session_id: int) -> Response:
    """End one session, the one that asks included."""
    mine = None if caller().role == "admin" else session().account_id
    owner = await sessions.owner_of(database(), session_id)
    if owner is None or mine not in (None, owner):
        raise NotFound(f"There is no session {session_id}.")
    async with gateway().ending(owner):
        await database().write(partial(sessions.end_one, session_id=session_id, author=author()))
    return no_content()


async def _whose(account_id: int | None) -> tuple[int, int | None]:
    """The account that is asked for, and the session that asks when it is one of that account's.

    Raises NeedsSession for a token that is no admin's, and what `account_asked` does.
    """
    asked = await account_asked(account_id)
    if caller().role != "admin":
        return asked, session().id
    found = grant()
    return asked, found.id if isinstance(found, Session) and found.account_id == asked else None

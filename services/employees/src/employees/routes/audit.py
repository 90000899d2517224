"""`/v1/audit`: who changed what and when, for admins, and whether the log of it is as it was written."""

from quart import Blueprint, Response

from employees.store import AUDIT
from shared.audit import Asked, AuditQuery, AuditRow, VerifyQuery, list_operation, verify_operation
from shared.context import database
from shared.listing import respond_page
from shared.responses import respond

blueprint = Blueprint("audit", __name__)


@blueprint.get("/v1/audit")
@list_operation
async def list_audit(query: AuditQuery) -> Response:
    """Changes by who, what and when, the newest first, a page at a time."""
    page = await AUDIT.page(database(), Asked.of(query), sort=query.sort, cursor=query.cursor, limit=query.limit)
    return respond_page(page, AuditRow)


@blueprint.get("/v1/audit/verify")
@verify_operation
async def verify_audit(query: VerifyQuery) -> Response:
    """Walk the whole log: each change, and the state that it left, is as it was written, or the first that is not is told."""
    return respond(await AUDIT.check(database(), query.head or ()))

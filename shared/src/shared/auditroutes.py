"""`/v1/audit` of a service: who changed what and when, for admins, and whether the log of it is as it was written."""

from quart import Blueprint, Response

from shared.audit import VERIFY_BUDGET, Asked, Audit, AuditCheck, AuditPage, AuditQuery, AuditRow, VerifyQuery
from shared.context import database
from shared.listing import respond_page
from shared.operations import ADMIN, operation
from shared.responses import respond


def audit_routes(audit: Audit) -> Blueprint:
    """The operations on a service's log."""
    blueprint = Blueprint("audit", __name__, url_prefix="/v1/audit")

    @blueprint.get("")
    @operation(allow=ADMIN, query=AuditQuery, responses={200: AuditPage}, problems=(410,))
    async def list_audit(query: AuditQuery) -> Response:
        """Changes by who, what and when, the newest first, a page at a time."""
        page = await audit.page(database(), Asked.of(query), sort=query.sort, cursor=query.cursor, limit=query.limit)
        return respond_page(page, AuditRow)

    @blueprint.get("/verify")
    @operation(allow=ADMIN, query=VerifyQuery, responses={200: AuditCheck}, budget=VERIFY_BUDGET)
    async def verify_audit(query: VerifyQuery) -> Response:
        """Walk the whole log: each change, and the state that it left, is as it was written, or the first that is not is told."""
        return respond(await audit.check(database(), query.head or ()))

    return blueprint

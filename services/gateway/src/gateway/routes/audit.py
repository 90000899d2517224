"""`/v1/audit`: who did what in the whole of Roster, for admins: employees' log, teams' and the gateway's own."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from msgspec.structs import astuple
from quart import Blueprint, Response

from gateway import audit
from gateway.audit import Cursors, Merged
from gateway.audit.schemas import AuditChecks, AuditEntry, AuditExport, AuditList, MergedAuditQuery, MergedVerifyQuery
from gateway.routes.context import ask, gateway
from shared.audit import VERIFY_BUDGET, Asked, AuditFilters
from shared.context import database
from shared.db import Database
from shared.listing import respond_page
from shared.operations import ADMIN, operation
from shared.pages import MOST, Page
from shared.responses import respond
from shared.transfers import ExportQuery, export_operation, export_table

blueprint: Final = Blueprint("audit", __name__)
COLUMNS: Final = AuditEntry.__struct_fields__
UPSTREAM: Final = (502,)


@blueprint.get("/v1/audit")
@operation(allow=ADMIN, query=MergedAuditQuery, responses={200: AuditList}, problems=(410, *UPSTREAM))
async def list_audit(query: MergedAuditQuery) -> Response:
    """What was done, when and by whom, in the order of time over all services, the newest first."""
    db, asked = database(), await _asked(query)
    cursors = Cursors(db, query.sort, asked)
    found = await Merged.read(_sources(asked), query.sort, cursors.read(query.cursor), query.limit)
    return respond_page(Page(COLUMNS, await _rows(db, found), cursors.write(found.places)))


@blueprint.get("/v1/audit/export")
@export_operation(AuditEntry, (400, *UPSTREAM), allow=ADMIN, query=AuditExport)
async def export_audit(query: AuditExport) -> Response:
    """All of it as a table, the oldest first: what there is when it begins."""
    db, asked = database(), await _asked(query)
    now = datetime.now(UTC).isoformat(timespec="microseconds")[:26] + "Z"
    asked = replace(asked, until=min(asked.until or now, now))
    sources = _sources(asked)

    async def pages() -> AsyncGenerator[list[tuple[Any, ...]], None]:
        found = await Merged.read(sources, "seq", {}, MOST)
        yield await _rows(db, found)
        while found.places is not None:
            found = await Merged.read(sources, "seq", found.places, MOST)
            yield await _rows(db, found)

    return await export_table(ExportQuery(format=query.format), "audit", COLUMNS, pages())


@blueprint.get("/v1/audit/verify")
@operation(allow=ADMIN, query=MergedVerifyQuery, responses={200: AuditChecks}, problems=UPSTREAM, budget=VERIFY_BUDGET)
async def verify_audit(query: MergedVerifyQuery) -> Response:
    """Walk every log: all is as it was written, or the first row that is not is told."""
    parts = gateway()
    checks = await audit.checked((parts.employees, parts.teams), database(), ask(), query.head or ())
    return respond({"intact": all(check.intact for check in checks.values()), **checks})


async def _asked(filters: AuditFilters) -> Asked:
    """What is asked for, a username as its account."""
    asked = Asked.of(filters)
    return replace(asked, actor=await audit.account_of(database(), asked.actor))


def _sources(asked: Asked) -> Mapping[str, audit.Source]:
    parts = gateway()
    return audit.sources((parts.employees, parts.teams), database(), ask(), asked)


async def _rows(db: Database, found: Merged) -> list[tuple[Any, ...]]:
    names = await audit.usernames(db, {row.actor for _, row in found.rows})
    return [(*astuple(row), service, names.get(row.actor)) for service, row in found.rows]

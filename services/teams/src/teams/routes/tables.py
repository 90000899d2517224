"""Teams and memberships as tables: imported and exported whole."""

import math

from quart import Blueprint, Response

from shared.bodies import UploadStream
from shared.context import author, database
from shared.operations import READ, WRITE, Upload, operation
from shared.tabular import TABLE_TYPES
from shared.transfers import ExportQuery, ImportQuery, ImportRefused, ImportReport, TableSpec, export_table, import_table
from teams.contract import MembershipExport, TeamExport
from teams.routes.members import following
from teams.schemas import MembershipRow, TeamRow
from teams.store import exports, imports

TEAMS = TableSpec(TeamRow, required=("slug",), key=lambda row: row["slug"], after=lambda row: row.get("parent"))
MEMBERSHIPS = TableSpec(MembershipRow, required=("team", "employee_id"), key=lambda row: f"{row['team']} {row['employee_id']}", line="line")

tables = Blueprint("tables", __name__, url_prefix="/v1")


@tables.post("/teams/import")
@operation(
    allow=WRITE,
    query=ImportQuery,
    body=Upload,
    body_types=TABLE_TYPES,
    form=TeamRow,
    responses={200: ImportReport},
    problems={422: ImportRefused},
    budget=math.inf,
)
async def import_teams(body: UploadStream, query: ImportQuery) -> Response:
    """Create and change teams by slug; a parent is a slug too, and may come later in the table."""
    by = author()
    return await import_table(body, query, TEAMS, lambda conn, rows: imports.apply_teams(conn, rows, by))


@tables.post("/memberships/import")
@operation(
    allow=WRITE,
    query=ImportQuery,
    body=Upload,
    body_types=TABLE_TYPES,
    form=MembershipRow,
    responses={200: ImportReport},
    problems={422: ImportRefused},
    budget=math.inf,
)
async def import_memberships(body: UploadStream, query: ImportQuery) -> Response:
    """Create and change memberships by team (its slug) and employee_id. A column `line` has the line number to report."""
    by, known = author(), following()
    return await import_table(body, query, MEMBERSHIPS, lambda conn, rows: imports.apply_memberships(conn, rows, by, following=known))


@tables.get("/teams/export")
@operation(
    allow=READ, query=ExportQuery, responses={200: bytes}, response_types=TABLE_TYPES, form=TeamExport, problems=(406,), budget=math.inf
)
async def export_teams(query: ExportQuery) -> Response:
    """All teams as they are at this moment, the way they can be imported."""
    db = database()
    return export_table(query, "teams", exports.TEAM_COLUMNS, exports.all_teams(db, await db.last_change()))


@tables.get("/memberships/export")
@operation(
    allow=READ,
    query=ExportQuery,
    responses={200: bytes},
    response_types=TABLE_TYPES,
    form=MembershipExport,
    problems=(406,),
    budget=math.inf,
)
async def export_memberships(query: ExportQuery) -> Response:
    """All memberships as they are at this moment, the way they can be imported."""
    db = database()
    return export_table(query, "memberships", exports.MEMBERSHIP_COLUMNS, exports.all_memberships(db, await db.last_change()))

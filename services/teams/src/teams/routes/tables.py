"""Teams and memberships as tables: imported and exported whole."""

from quart import Blueprint, Response

from shared.bodies import UploadStream
from shared.context import author, database, reader
from shared.transfers import ExportQuery, ImportQuery, TableSpec, export_operation, export_table, import_operation, import_table
from teams.contract import MembershipExport, TeamExport
from teams.routes.members import following
from teams.schemas import MembershipRow, TeamRow
from teams.store import exports, imports

TEAMS = TableSpec(TeamRow, required=("slug",), key=lambda row: row["slug"], after=lambda row: row.get("parent"))
MEMBERSHIPS = TableSpec(MembershipRow, required=("team", "employee_id"), key=lambda row: f"{row['team']} {row['employee_id']}", line="line")

tables = Blueprint("tables", __name__, url_prefix="/v1")


@tables.post("/teams/import")
@import_operation(TeamRow)
async def import_teams(body: UploadStream, query: ImportQuery) -> Response:
    """Create and change teams by slug; a parent is a slug too, and may come later in the table."""
    by = author()
    return await import_table(body, query, TEAMS, lambda conn, rows: imports.apply_teams(conn, rows, by))


@tables.post("/memberships/import")
@import_operation(MembershipRow)
async def import_memberships(body: UploadStream, query: ImportQuery) -> Response:
    """Create and change memberships by team (its slug) and employee_id. A column `line` has the line number to report."""
    by, known = author(), following()
    return await import_table(body, query, MEMBERSHIPS, lambda conn, rows: imports.apply_memberships(conn, rows, by, following=known))


@tables.get("/teams/export")
@export_operation(TeamExport)
async def export_teams(query: ExportQuery) -> Response:
    """All teams as they were at one instant, the way they can be imported."""
    pages = exports.TEAMS.at(database(), await reader().last_change())
    return await export_table(query, "teams", exports.TEAM_COLUMNS, pages)


@tables.get("/memberships/export")
@export_operation(MembershipExport)
async def export_memberships(query: ExportQuery) -> Response:
    """All memberships as they were at one instant, the way they can be imported."""
    pages = exports.MEMBERSHIPS.at(database(), await reader().last_change())
    return await export_table(query, "memberships", exports.MEMBERSHIP_COLUMNS, pages)

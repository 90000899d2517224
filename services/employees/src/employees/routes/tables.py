"""`/v1/employees/import` and `/export`: everyone as a table, CSV or NDJSON."""

from quart import Blueprint, Response

from employees.contract import ExportRow
from employees.schemas import ImportRow
from employees.store import exports, imports
from shared.bodies import UploadStream
from shared.context import author, database, reader
from shared.transfers import ExportQuery, ImportQuery, TableSpec, export_operation, export_table, import_operation, import_table
from shared.words import fold

blueprint = Blueprint("tables", __name__)
TABLE = TableSpec(
    ImportRow,
    required=("username",),
    key=lambda row: fold(row["username"]),
    after=lambda row: fold(row["manager"]) if row.get("manager") else None,
)


@blueprint.post("/v1/employees/import")
@import_operation(ImportRow)
async def import_employees(query: ImportQuery, body: UploadStream) -> Response:
    """Add and change people by a table, matched by username; managers are named by username, in any order."""
    return await import_table(body, query, TABLE, imports.importer(author()))


@blueprint.get("/v1/employees/export")
@export_operation(ExportRow)
async def export_employees(query: ExportQuery) -> Response:
    """Everyone at one instant, as a table that can be imported again."""
    return await export_table(query, "employees", exports.EXPORTED, exports.EVERYONE.at(database(), await reader().last_change()))

"""`/v1/employees/import` and `/export`: everyone as a table, CSV or NDJSON."""

import math

import msgspec
from quart import Blueprint, Response

from employees import errors
from employees.schemas import EXPORTED, IGNORED, ImportRow
from employees.store import batches, exports
from shared.bodies import UploadStream
from shared.context import author, database
from shared.downloads import ExportQuery, export_table
from shared.faults import field_errors
from shared.imports import Refused, Spooled
from shared.lines import Row
from shared.operations import READ, WRITE, Upload, operation
from shared.tabular import TABLE_TYPES
from shared.uploads import ImportReport, TableQuery, run_import
from shared.words import fold

blueprint = Blueprint("tables", __name__)


@blueprint.post("/v1/employees/import")
@operation(allow=WRITE, query=TableQuery, body=Upload, body_types=TABLE_TYPES, responses={200: ImportReport}, budget=math.inf)
async def import_employees(query: TableQuery, body: UploadStream) -> Response:
    """Add and change people by a table, matched by username; managers are named by username, in any order."""
    apply = batches.importer(author())
    return await run_import(body, dict, read_row, apply, query, columns=ImportRow.__struct_fields__, required=("username",))


@blueprint.get("/v1/employees/export")
@operation(allow=READ, query=ExportQuery, responses={200: bytes}, response_types=TABLE_TYPES, problems=(406,), budget=math.inf)
async def export_employees(query: ExportQuery) -> Response:
    """Everyone at one instant, as a table that can be imported again."""
    db = database()
    return export_table(query, "employees", EXPORTED, exports.everyone(db, await db.last_change()))


def read_row(row: Row) -> Spooled[dict[str, str | None]] | Refused:
    """A row checked by itself: what it sets, without the fields that are the service's own. A refusal tells all its faults."""
    cells = row.values
    try:
        msgspec.convert(cells, ImportRow)
    except msgspec.ValidationError as error:
        first, *others = field_errors(cells, ImportRow, error)
        return Refused(first.field, "; ".join([first.message, *(f"{other.field}: {other.message}" for other in others)]))
    username, manager = cells.get("username"), cells.get("manager")
    if username is None:
        return Refused("username", errors.REQUIRED)
    if "manager_id" in cells and "manager" not in cells:
        return Refused("manager_id", errors.MANAGER_BY_NAME)
    values = {name: cell for name, cell in cells.items() if name not in IGNORED}
    return Spooled(row.line, fold(username), fold(manager) if manager else None, values)

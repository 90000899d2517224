"""`/v1/employees/<id>/reports` and `/managers`: reporting lines, down and up."""

from quart import Blueprint, Response

from employees.schemas import LinePage, ManagersQuery, PlacedEmployee, ReportsQuery
from employees.store import lines, people
from shared.context import reader
from shared.listing import respond_page
from shared.operations import READ, operation

blueprint = Blueprint("lines", __name__)


@blueprint.get("/v1/employees/<int:employee_id>/reports")
@operation(allow=READ, query=ReportsQuery, responses={200: LinePage}, problems=(410, 422), timed=True)
async def list_reports(employee_id: int, query: ReportsQuery) -> Response:
    """Who reports to someone, directly or down to `depth` levels, the nearest first."""
    db = reader()
    page = await lines.reports(db, employee_id, query.depth, cursor=query.cursor, limit=query.limit, count=query.count)
    if not page.rows and not await lines.exists(db, employee_id):
        raise people.unknown(employee_id)
    return respond_page(page, PlacedEmployee, fields=query.fields)


@blueprint.get("/v1/employees/<int:employee_id>/managers")
@operation(allow=READ, query=ManagersQuery, responses={200: LinePage}, problems=(410, 422), timed=True)
async def list_managers(employee_id: int, query: ManagersQuery) -> Response:
    """The line above someone, the nearest manager first."""
    page = await lines.managers(reader(), employee_id, cursor=query.cursor, limit=query.limit)
    if page is None:
        raise people.unknown(employee_id)
    return respond_page(page, PlacedEmployee, fields=query.fields)

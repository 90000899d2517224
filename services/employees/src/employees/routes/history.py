"""`/v1/employees/<id>/history`: who changed someone's record, when, and how."""

from quart import Blueprint, Response

from employees.schemas import EmployeeHistoryPage
from employees.store import people
from employees.store.history import HISTORY
from shared.context import reader
from shared.history import HistoryQuery
from shared.listing import respond_entries
from shared.operations import READ, operation

blueprint = Blueprint("history", __name__)


@blueprint.get("/v1/employees/<int:employee_id>/history")
@operation(allow=READ, query=HistoryQuery, responses={200: EmployeeHistoryPage}, problems=(410, 422), timed=True)
async def list_employee_history(employee_id: int, query: HistoryQuery) -> Response:
    """Every change of someone's record, the newest first; also of someone who was deleted."""
    page = await HISTORY.page(reader(), employee_id, cursor=query.cursor, limit=query.limit)
    if not page.rows and query.cursor is None:
        raise people.unknown(employee_id)
    return respond_entries(page)

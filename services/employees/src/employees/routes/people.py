"""`/v1/employees`: list, create, read, replace, patch, delete."""

import datetime
from typing import Any, Final

import msgspec
from quart import Blueprint, Response

from employees.contract import HasReports
from employees.schemas import Employee, EmployeeBody, EmployeePage, EmployeePatch, GetQuery, LeaveQuery, ListQuery
from employees.store import ONCE, lists, people
from shared.context import author, database, idempotency_key, reader
from shared.db import Connection
from shared.etags import check_conditions, if_match, not_modified
from shared.idempotency import Answer
from shared.json import encode
from shared.listing import only, respond_page
from shared.operations import ADMIN, READ, WRITE, operation
from shared.responses import answered, no_content, respond
from shared.timeline import refuse_present_only

blueprint = Blueprint("people", __name__)
ERASING: Final = 300.0
"""Seconds that erasing someone may take: freeing the files of what they held writes all of them anew."""

FIELDS: Final = Employee.__struct_fields__
_VERSION: Final = FIELDS.index("version")


@blueprint.get("/v1/employees")
@operation(allow=READ, query=ListQuery, responses={200: EmployeePage}, problems=(410, 422), timed=True)
async def list_employees(query: ListQuery) -> Response:
    """Employees, filtered, searched, sorted, a page at a time."""
    asked = {name: getattr(query, name) for name in lists.ASKED}
    if query.as_of is not None:
        refuse_present_only(q=query.q, sort=query.sort)
    page = await lists.page(reader(), asked, sort=query.sort, cursor=query.cursor, limit=query.limit, count=query.count)
    return respond_page(page, Employee, fields=query.fields)


@blueprint.post("/v1/employees")
@operation(allow=WRITE, body=EmployeeBody, responses={201: Employee}, problems=(409,))
async def create_employee(body: EmployeeBody) -> Response:
    """Add someone; `Idempotency-Key` makes a repetition safe."""
    values, who = _values(body), author()

    def unit(conn: Connection) -> Answer:
        return _created(present(people.add(conn, values, who)))

    return answered(await ONCE.write_once(database(), await idempotency_key(), unit))


@blueprint.get("/v1/employees/<int:employee_id>")
@operation(allow=READ, query=GetQuery, responses={200: Employee, 304: None}, problems=(422,), timed=True)
async def get_employee(employee_id: int, query: GetQuery) -> Response:
    """One employee."""
    row = await people.get(reader(), employee_id)
    if row is None:
        raise people.unknown(employee_id)
    if query.fields is not None:
        check_conditions()
        return respond(only(dict(zip(FIELDS, row, strict=True)), query.fields))
    if query.as_of is not None:
        check_conditions()
        return respond(Employee(*row))
    version = row[_VERSION]
    return not_modified(version) or respond(Employee(*row), version=version)


@blueprint.put("/v1/employees/<int:employee_id>")
@operation(allow=WRITE, query=LeaveQuery, body=EmployeeBody, responses={200: Employee}, problems={409: HasReports, 412: None})
async def replace_employee(employee_id: int, query: LeaveQuery, body: EmployeeBody) -> Response:
    """Replace someone's record: what is left out becomes empty, and without a status they are active."""
    return await _change(employee_id, _values(body), query)


@blueprint.patch("/v1/employees/<int:employee_id>")
@operation(allow=WRITE, query=LeaveQuery, body=EmployeePatch, responses={200: Employee}, problems={409: HasReports, 412: None})
async def patch_employee(employee_id: int, query: LeaveQuery, body: msgspec.Struct) -> Response:
    """Change some fields (merge patch): what is left out stays, null empties."""
    return await _change(employee_id, _values(body), query)


@blueprint.delete("/v1/employees/<int:employee_id>")
@operation(allow=WRITE, query=LeaveQuery, responses={204: None}, problems={409: HasReports, 412: None, 422: None})
async def delete_employee(employee_id: int, query: LeaveQuery) -> Response:
    """Delete someone; `reassign_reports_to` says what becomes of those who report to them."""
    who, condition = author(), if_match()
    await database().write(lambda conn: people.remove(conn, employee_id, who, condition, query.reassign_reports_to))
    return no_content()


@blueprint.post("/v1/employees/<int:employee_id>/erase")
@operation(allow=ADMIN, query=LeaveQuery, responses={204: None}, problems={409: HasReports, 422: None}, budget=ERASING)
async def erase_employee(employee_id: int, query: LeaveQuery) -> Response:
    """Erase someone's personal data, in every state and copy that is kept; an inactive stub stays. Repeating it changes nothing.

    `reassign_reports_to` says what becomes of those who report to them.
    """
    who = author()

    def unit(conn: Connection) -> None:
        stub = people.erase(conn, employee_id, who, query.reassign_reports_to)
        ONCE.replace(conn, f"/v1/employees/{employee_id}", _created(present(stub)))

    await database().write(unit, large=True)
    return no_content()


def present(record: dict[str, Any]) -> Employee:
    """A stored record as it is answered."""
    return Employee(*[record[name] for name in FIELDS])


def _created(added: Employee) -> Answer:
    """How a new employee is answered."""
    return Answer(201, encode(added), {"Location": f"/v1/employees/{added.id}", "ETag": f'"{added.version}"'})


async def _change(employee_id: int, values: dict[str, Any], query: LeaveQuery) -> Response:
    who, condition = author(), if_match()
    changed = await database().write(lambda conn: people.change(conn, employee_id, values, who, condition, query.reassign_reports_to))
    return respond(present(changed), version=changed["version"])


def _values(body: msgspec.Struct) -> dict[str, Any]:
    """The fields that a body sets, dates as they are stored."""
    return {
        name: value.isoformat() if isinstance(value, datetime.date) else value
        for name, value in msgspec.structs.asdict(body).items()
        if value is not msgspec.UNSET
    }

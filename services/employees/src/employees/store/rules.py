"""What must hold for all employees together, checked inside the unit that writes: there is one writer, so what was read stays true."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, or_, select

from employees import errors
from employees.models import employees
from employees.store import lines
from shared.db import Connection, Query
from shared.errors import FieldError, Invalid, refuse
from shared.words import fold

_TAKEN = Query(
    select(employees.c.id, employees.c.username_key, employees.c.email_key, employees.c.employee_number).where(
        or_(
            employees.c.username_key == bindparam("username_key"),
            employees.c.email_key == bindparam("email_key"),
            employees.c.employee_number == bindparam("employee_number"),
        )
    )
)
_STATUS = Query(select(employees.c.status).where(employees.c.id == bindparam("id")))


def check(conn: Connection, values: Mapping[str, Any], before: Mapping[str, Any] | None) -> None:
    """Raise unless these values may become an employee's, whose state was `before` (None: someone new).

    Invalid (422) lists every wrong field, taken ones too; Conflict (409) when values are taken and nothing else is wrong.
    """
    refuse(_taken(conn, values, before), [*wrong_dates(values), *_wrong_manager(conn, values, before)])


def wrong_dates(values: Mapping[str, Any]) -> list[FieldError]:
    hired, left = values["hired_on"], values["left_on"]
    return [FieldError("left_on", errors.LEFT_BEFORE_HIRED)] if hired and left and left < hired else []


def check_heir(conn: Connection, heir: int, leaver: int) -> None:
    """Raise Invalid unless `heir` may take over the reports of `leaver`: an active employee who stands outside of their line."""
    if heir == leaver:
        raise Invalid.of("reassign_reports_to", errors.REASSIGN_SELF)
    if (fault := _unfit(conn, heir)) is not None:
        raise Invalid.of("reassign_reports_to", fault)
    if lines.meets(lines.line_of(conn, [heir]), heir, leaver):
        raise Invalid.of("reassign_reports_to", errors.REASSIGN_BELOW)


def _wrong_manager(conn: Connection, values: Mapping[str, Any], before: Mapping[str, Any] | None) -> list[FieldError]:
    manager = values["manager_id"]
    if manager is None or (before is not None and before["manager_id"] == manager):
        return []
    if before is not None and before["id"] == manager:
        return [FieldError("manager_id", errors.MANAGER_SELF)]
    fault = _unfit(conn, manager)
    if fault is None and before is not None and lines.meets(lines.line_of(conn, [manager]), manager, before["id"]):
        fault = errors.MANAGER_LOOP
    return [] if fault is None else [FieldError("manager_id", fault)]


def _unfit(conn: Connection, manager: int) -> str | None:
    """Why someone can't be a manager at all."""
    row = conn.one(_STATUS, id=manager)
    if row is None:
        return errors.MANAGER_UNKNOWN
    return None if row[0] == "active" else errors.MANAGER_INACTIVE


def _taken(conn: Connection, values: Mapping[str, Any], before: Mapping[str, Any] | None) -> list[FieldError]:
    own = None if before is None else before["id"]
    username, email, number = fold(values["username"]), fold(values["email"]), values["employee_number"]
    if before is not None and (username, email, number) == (before["username_key"], before["email_key"], before["employee_number"]):
        return []
    rows = conn.all(_TAKEN, username_key=username, email_key=email, employee_number=number)
    others = [row for row in rows if row[0] != own]
    found: Sequence[tuple[str, bool]] = (
        ("username", any(row[1] == username for row in others)),
        ("email", any(row[2] == email for row in others)),
        ("employee_number", number is not None and any(row[3] == number for row in others)),
    )
    return [FieldError(name, errors.TAKEN) for name, taken in found if taken]

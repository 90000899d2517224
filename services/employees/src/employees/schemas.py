"""What the employees service takes and gives: every field with its bounds.

A text is one line without control characters and without blanks at its ends; an optional one is null, never ''.
"""

import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from employees.models import FIELDS, WRITABLE
from shared.history import HistoryEntry
from shared.timeline import AsOf

_CONTROL = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
_LINE = rf"^[^\s{_CONTROL}]([^{_CONTROL}]*[^\s{_CONTROL}])?(?!\n)$"
_USERNAME = rf"^[^\s,{_CONTROL}]+(?!\n)$"
_EMAIL = rf"^[^\s@,<>{_CONTROL}]+@[^\s@,<>{_CONTROL}]+(?!\n)$"

_ONE_LINE = {"expected": "one line of text without blanks at its ends"}
_NO_BLANKS = {"expected": "text without blanks and commas"}
_ADDRESS = {"expected": "an address like ada@example.org"}

Id = Annotated[int, Meta(ge=1, le=2**63 - 1, description="Given by the service, never reused.")]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Username = Annotated[
    str, Meta(min_length=1, max_length=128, pattern=_USERNAME, extra=_NO_BLANKS, description="Unique without regard to case.")
]
Email = Annotated[str, Meta(min_length=1, max_length=254, pattern=_EMAIL, extra=_ADDRESS, description="Unique without regard to case.")]
Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=_LINE, extra=_ONE_LINE)]
Line = Annotated[str, Meta(min_length=1, max_length=200, pattern=_LINE, extra=_ONE_LINE)]
Short = Annotated[str, Meta(min_length=1, max_length=64, pattern=_LINE, extra=_ONE_LINE)]
Number = Annotated[str, Meta(min_length=1, max_length=64, pattern=_LINE, extra=_ONE_LINE, description="Unique when given.")]
Moment = Annotated[str, Meta(min_length=27, max_length=27, extra_json_schema={"format": "date-time"})]
DateText = Annotated[str, Meta(min_length=10, max_length=10, extra_json_schema={"format": "date"})]
Date = datetime.date
Status = Literal["active", "inactive"]


class EmployeeBody(Struct, forbid_unknown_fields=True, kw_only=True):
    """An employee as a client writes one: all that is left out is empty."""

    username: Username
    email: Email
    given_name: Name | None = None
    family_name: Name | None = None
    display_name: Line | None = None
    title: Line | None = None
    department: Line | None = None
    division: Line | None = None
    cost_center: Short | None = None
    employee_number: Number | None = None
    phone: Short | None = None
    location: Line | None = None
    manager_id: Id | None = None
    status: Status = "active"
    hired_on: Date | None = None
    left_on: Date | None = None
    external_id: Line | None = None


class Employee(Struct):
    """An employee as the service gives one; the fields stand in the order of the table's columns."""

    id: Id
    username: Username
    email: Email
    given_name: Name | None
    family_name: Name | None
    display_name: Line | None
    title: Line | None
    department: Line | None
    division: Line | None
    cost_center: Short | None
    employee_number: Number | None
    phone: Short | None
    location: Line | None
    manager_id: Id | None
    status: Status
    hired_on: DateText | None
    left_on: DateText | None
    external_id: Line | None
    version: Id
    created_at: Moment
    updated_at: Moment


class PlacedEmployee(Employee):
    """An employee in somebody's line: `depth` levels away."""

    depth: Annotated[int, Meta(ge=1, le=2**63 - 1)]


class EmployeePage(Struct):
    """A page of a list. With `fields`, the items have only those."""

    items: Annotated[list[Employee], Meta(max_length=200)]
    next: Annotated[str, Meta(max_length=4000)] | None
    total: Count | UnsetType = UNSET


class LinePage(Struct):
    """A page of a line, up or down."""

    items: Annotated[list[PlacedEmployee], Meta(max_length=200)]
    next: Annotated[str, Meta(max_length=4000)] | None
    total: Count | UnsetType = UNSET


class EmployeeChange(HistoryEntry):
    """One change of an employee's record."""

    entity: Literal["employee"]


class EmployeeHistoryPage(Struct):
    """A page of a history, the newest change first."""

    items: Annotated[list[EmployeeChange], Meta(max_length=200)]
    next: Annotated[str, Meta(max_length=4000)] | None


Ascending = Literal["id", "username", "email", "display_name", "department", "title", "hired_on", "created_at", "updated_at"]
Descending = Literal["-id", "-username", "-email", "-display_name", "-department", "-title", "-hired_on", "-created_at", "-updated_at"]
SortName = Ascending | Descending
FieldName = Literal[FIELDS]  # type: ignore[valid-type]  # as many as there are fields
Limit = Annotated[int, Meta(ge=1, le=200)]
Cursor = Annotated[str, Meta(min_length=1, max_length=4000)]
_FIELDS = Meta(min_length=1, max_length=100, description="Only these fields of each employee.")
Fields = Annotated[list[FieldName], _FIELDS]
PlacedFields = Annotated[list[FieldName | Literal["depth"]], _FIELDS]
ManagerFilter = Id | Literal["none"]


class ListQuery(Struct, forbid_unknown_fields=True, kw_only=True):
    """Filters are joined by 'and'; text is compared without regard to case."""

    department: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    status: Status | None = None
    manager_id: ManagerFilter | None = None
    email: Annotated[str, Meta(min_length=1, max_length=254)] | None = None
    username: Annotated[list[Annotated[str, Meta(min_length=1, max_length=128)]], Meta(min_length=1, max_length=100)] | None = None
    id: Annotated[list[Id], Meta(min_length=1, max_length=100)] | None = None
    q: Annotated[str, Meta(max_length=200, description="Each word begins a word of the names, username, email or title.")] | None = None
    sort: SortName = "id"
    fields: Fields | None = None
    count: bool = False
    limit: Limit = 50
    cursor: Cursor | None = None
    as_of: AsOf | None = None


class GetQuery(Struct, forbid_unknown_fields=True, kw_only=True):
    fields: Fields | None = None
    as_of: AsOf | None = None


class ReportsQuery(Struct, forbid_unknown_fields=True, kw_only=True):
    depth: Annotated[int, Meta(ge=1, le=50, description="How many levels down.")] = 1
    fields: PlacedFields | None = None
    count: bool = False
    limit: Limit = 50
    cursor: Cursor | None = None
    as_of: AsOf | None = None


class ManagersQuery(Struct, forbid_unknown_fields=True, kw_only=True):
    fields: PlacedFields | None = None
    limit: Limit = 50
    cursor: Cursor | None = None
    as_of: AsOf | None = None


class LeaveQuery(Struct, forbid_unknown_fields=True, kw_only=True):
    reassign_reports_to: Annotated[ManagerFilter, Meta(description="Whom their reports go to; none: nobody.")] | None = None


def _absent(names: tuple[str, ...]) -> list[tuple[str, Any, Any]]:
    """Some fields of the body, each of which may be left out."""
    types = {field.name: field.type for field in msgspec.structs.fields(EmployeeBody)}
    return [(name, types[name] | UnsetType, UNSET) for name in names]


EmployeePatch = msgspec.defstruct("EmployeePatch", _absent(WRITABLE), kw_only=True, forbid_unknown_fields=True)
"""A merge patch (RFC 7396): what is absent stays, null clears."""

_IGNORED = tuple(name for name in FIELDS if name not in WRITABLE or name == "manager_id")
ImportRow = msgspec.defstruct(
    "ImportRow",
    [
        ("username", Username),
        *_absent(tuple(name for name in WRITABLE if name not in ("username", "manager_id"))),
        ("manager", Username | None | UnsetType, UNSET),
        *((name, Annotated[str, Meta(max_length=64)] | None | UnsetType, UNSET) for name in _IGNORED),
    ],
    kw_only=True,
    forbid_unknown_fields=True,
)
"""A row of an import: a patch whose manager is a username. The service's own fields, which an export has, are passed over."""

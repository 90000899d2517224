"""What the employees service takes and gives: every field with its bounds.

A text is one line without control characters and without blanks at its ends; an optional one is null, never ''.
"""

import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

_CONTROL = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
_LINE = rf"^[^\s{_CONTROL}]([^{_CONTROL}]*[^\s{_CONTROL}])?(?!\n)$"
_USERNAME = rf"^[^\s,{_CONTROL}]+(?!\n)$"
_EMAIL = rf"^[^\s@,<>{_CONTROL}]+@[^\s@,<>{_CONTROL}]+(?!\n)$"

Id = Annotated[int, Meta(ge=1, le=2**63 - 1, description="Given by the service, never reused.")]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Username = Annotated[str, Meta(min_length=1, max_length=128, pattern=_USERNAME, description="Unique without regard to case.")]
Email = Annotated[str, Meta(min_length=3, max_length=254, pattern=_EMAIL, description="Unique without regard to case.")]
Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=_LINE)]
Line = Annotated[str, Meta(min_length=1, max_length=200, pattern=_LINE)]
Short = Annotated[str, Meta(min_length=1, max_length=64, pattern=_LINE)]
Number = Annotated[str, Meta(min_length=1, max_length=64, pattern=_LINE, description="Unique when given.")]
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


FIELDS: tuple[str, ...] = Employee.__struct_fields__
WRITABLE: tuple[str, ...] = EmployeeBody.__struct_fields__


def _absent(names: tuple[str, ...]) -> list[tuple[str, Any, Any]]:
    """Some fields of the body, each of which may be left out."""
    types = {field.name: field.type for field in msgspec.structs.fields(EmployeeBody)}
    return [(name, types[name] | UnsetType, UNSET) for name in names]


EmployeePatch = msgspec.defstruct("EmployeePatch", _absent(WRITABLE), kw_only=True, forbid_unknown_fields=True)
"""A merge patch (RFC 7396): what is absent stays, null clears."""

ImportRow = msgspec.defstruct(
    "ImportRow",
    [*_absent(tuple(name for name in WRITABLE if name != "manager_id")), ("manager", Username | None | UnsetType, UNSET)],
    kw_only=True,
    forbid_unknown_fields=True,
)
"""A row of an import: a patch whose manager is a username."""

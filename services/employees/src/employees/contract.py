"""What only the OpenAPI document tells: rows of an export, events, problems with members of their own; and the examples."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, UnsetType

from employees.examples import EXAMPLES
from employees.schemas import Count, Employee, Username
from employees.store.exports import EXPORTED
from shared.feed import Event
from shared.openapi import Contract, ProblemDocument

_TYPES = {field.name: field.type for field in msgspec.structs.fields(Employee)}
ExportRow = msgspec.defstruct("ExportRow", [(name, _TYPES.get(name, Username | None)) for name in EXPORTED])
"""A row of an export."""


class HasReports(ProblemDocument, kw_only=True):
    """Why someone can't leave: how many report to them; or `errors`, naming what is taken."""

    reports: Count | UnsetType = msgspec.UNSET


class EmployeeEvent(Event):
    """What happened to an employee."""

    source: Literal["/employees"]
    type: Literal["roster.employee.created", "roster.employee.updated", "roster.employee.deleted"]
    data: Employee | None


Events = Annotated[list[EmployeeEvent], Meta(max_length=1000)]

CONTRACT = Contract(examples=EXAMPLES)

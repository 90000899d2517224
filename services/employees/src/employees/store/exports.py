"""Everyone as they were at one instant."""

from typing import Final

from sqlalchemy import and_, select

from employees.models import FIELDS, employees_versions
from shared.snapshots import Snapshot, current_at

EXPORTED: Final = tuple(part for name in FIELDS for part in (("manager", name) if name == "manager_id" else (name,)))

_person = employees_versions.alias("person")
_manager = employees_versions.alias("manager")
_columns = [_manager.c.username.label("manager") if name == "manager" else _person.c[name] for name in EXPORTED]
EVERYONE: Final = Snapshot(
    select(*_columns).select_from(_person.outerjoin(_manager, and_(_manager.c.id == _person.c.manager_id, current_at(_manager)))), _person
)
"""Rows of EXPORTED, by id."""

"""What has happened to an employee."""

from typing import Final

from sqlalchemy import BigInteger, bindparam, select

from employees.models import WRITABLE, employees_versions, log
from shared.history import History, HistoryEntity

_changes = log.changes.c
_places = select(_changes.seq).where(
    _changes.entity == "employee", _changes.entity_id == bindparam("id"), _changes.seq < bindparam("before")
)
HISTORY: Final = History(
    log,
    {"employee": HistoryEntity(employees_versions, WRITABLE)},
    _places.order_by(_changes.seq.desc()).limit(bindparam("limit", type_=BigInteger)),
)

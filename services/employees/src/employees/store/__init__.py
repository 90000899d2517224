"""Everything that employees asks of its database. Writes take the unit's connection and leave the commit to their caller.

people   one employee: get, add, change, remove
rules    what must hold for all of them together: uniqueness, managers, dates
lines    reporting lines: reports, managers, loops
lists    filters, search, sorting, paging
imports  many rows of an import at once
exports  everyone at one instant
history  what has happened to one of them
"""

from employees.models import FIELDS, employees_versions, log
from employees.store.people import RECORDS
from shared.audit import Audit
from shared.feed import Feed, FeedEntity
from shared.idempotency import Idempotency

FEED = Feed("/employees", log, {"employee": FeedEntity(employees_versions, FIELDS)})
ONCE = Idempotency(log)
AUDIT = Audit(log, [RECORDS])

__all__ = ["AUDIT", "FEED", "ONCE"]

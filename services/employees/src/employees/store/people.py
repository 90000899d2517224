"""One employee: read, added, changed, removed. Each write runs inside the caller's unit, which commits."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import and_, bindparam, delete, insert, select

from employees import errors
from employees.models import FIELDS, WRITABLE, computed, employee_tokens, employees, employees_versions, erased, is_erased, log
from employees.store import lines, lists, rules
from shared.changes import Author
from shared.db import Connection, Query, Reader, any_of
from shared.errors import Conflict, Invalid, NotFound
from shared.etags import Precondition
from shared.past import Timed
from shared.records import Records

Values = Mapping[str, Any]
Heir = int | Literal["none"] | None
"""Who gets the reports of someone who leaves: an employee, nobody ("none"), or not told."""

RECORDS = Records("employee", employees, employees_versions, log, computed, erased)

_GET = Timed(lambda people: select(*(people.c[name] for name in FIELDS)).where(people.c.id == bindparam("id")), lists.EMPLOYEES)
_CALLED = Query(select(employees_versions.c.username_key, employees_versions.c.email_key).where(employees_versions.c.id == bindparam("id")))
_ADD_TOKEN = Query(insert(employee_tokens))
_REMOVE_TOKENS = Query(
    delete(employee_tokens).where(and_(any_of(employee_tokens.c.token, "tokens"), employee_tokens.c.employee_id == bindparam("id")))
)


async def get(db: Reader, employee_id: int) -> tuple[Any, ...] | None:
    """The columns of FIELDS, or None."""
    return await db.one(_GET, id=employee_id)


def unknown(employee_id: int) -> NotFound:
    return NotFound(f"there is no employee {employee_id}")


def add(conn: Connection, values: Values, author: Author) -> dict[str, Any]:
    """Someone new. Raises Invalid and Conflict as `rules.check` does."""
    rules.check(conn, values, None)
    added = RECORDS.add(conn, dict(values), author)
    write_words(conn, added["id"], "", added["words"])
    return added


def change(
    conn: Connection, employee_id: int, values: Values, author: Author, condition: Precondition, heir: Heir = None
) -> dict[str, Any]:
    """Set some fields. Raises NotFound, PreconditionFailed, Conflict, Invalid; what is the same already writes nothing."""
    before = _find(conn, employee_id, condition)
    after = {name: before[name] for name in WRITABLE} | dict(values)
    if is_erased(before) and any(before[name] != value for name, value in after.items()):
        raise Conflict(f"employee {employee_id} {errors.ERASED}")
    leaves = after["status"] == "inactive"
    if heir is not None and not leaves:
        raise Invalid.of("reassign_reports_to", errors.REASSIGN_IDLE)
    if leaves and before["status"] == "active":
        hand_over(conn, employee_id, heir, author)
    rules.check(conn, after, before)
    return rewrite(conn, before, after, author)


def remove(conn: Connection, employee_id: int, author: Author, condition: Precondition, heir: Heir = None) -> None:
    """Raises NotFound, PreconditionFailed, Conflict (reports and no heir), Invalid (an unfit heir)."""
    before = _find(conn, employee_id, condition)
    hand_over(conn, employee_id, heir, author)
    write_words(conn, employee_id, before["words"], "")
    RECORDS.remove(conn, before, author)


def erase(conn: Connection, employee_id: int, author: Author, heir: Heir = None) -> dict[str, Any]:
    """Blank all that is kept of someone, in every state; they stay as an inactive stub, which is returned. Who was deleted stays so.

    Runs in a `large` unit. Raises NotFound, Conflict (reports and no heir, or a stub's name that is taken), Invalid (an unfit heir).
    """
    before = RECORDS.get(conn, employee_id)
    stub = {"status": "inactive", "manager_id": None}
    if before is not None:
        if before["status"] == "active":
            hand_over(conn, employee_id, heir, author)
        rules.check(conn, {**before, **erased(employee_id), **stub}, before)
    called = {name for names in conn.all(_CALLED, id=employee_id) for name in names}
    after = RECORDS.erase(conn, employee_id, stub, author)
    if after is None:
        raise unknown(employee_id)
    log.forget(conn, called)
    if before is not None:
        write_words(conn, employee_id, before["words"], after["words"])
    conn.scrub()
    return after


def hand_over(conn: Connection, leaver: int, heir: Heir, author: Author) -> None:
    """Give the reports of someone who leaves to their heir, each a change of its own."""
    if isinstance(heir, int):
        rules.check_heir(conn, heir, leaver)
    reports = lines.direct_reports(conn, leaver)
    if reports and heir is None:
        raise Conflict(errors.has_reports(f"employee {leaver}", len(reports)), reports=len(reports))
    for report in reports:
        RECORDS.change(conn, RECORDS.record(report), {"manager_id": None if heir == "none" else heir}, author)


def rewrite(conn: Connection, before: Values, after: Values, author: Author) -> dict[str, Any]:
    """Write a state that was checked already."""
    changed = RECORDS.change(conn, dict(before), dict(after), author)
    write_words(conn, changed["id"], before["words"], changed["words"])
    return changed


def write_words(conn: Connection, employee_id: int, before: str, after: str) -> None:
    """Bring the tokens of an employee from one text of words to another."""
    if before == after:
        return
    old, new = set(before.split()), set(after.split())
    if gone := old - new:
        conn.run(_REMOVE_TOKENS, tokens=sorted(gone), id=employee_id)
    conn.run_many(_ADD_TOKEN, [{"token": token, "employee_id": employee_id} for token in sorted(new - old)])


def add_words(conn: Connection, people: Sequence[Values]) -> None:
    """The tokens of many new employees, in the index's order."""
    rows = [(token, person["id"]) for person in people for token in person["words"].split()]
    conn.run_many(_ADD_TOKEN, [{"token": token, "employee_id": employee_id} for token, employee_id in sorted(rows)])


def _find(conn: Connection, employee_id: int, condition: Precondition) -> dict[str, Any]:
    before = RECORDS.get(conn, employee_id)
    if before is None:
        raise unknown(employee_id)
    condition.check(before["version"])
    return before

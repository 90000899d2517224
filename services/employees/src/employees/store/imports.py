"""Some rows of an import at once: looked up together, checked one after another, written together.

Within a batch a value that someone gives up stays taken until the next round, so that what is written first can't collide with what
is written last: new people in their order (a manager before their reports), then changes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import select

from employees import errors
from employees.models import WRITABLE, employees, is_erased
from employees.store import lines, people, rules
from shared.changes import Author
from shared.db import Connection, Query, any_of
from shared.imports import Outcome, Refused, Waits
from shared.words import fold

Row = Mapping[str, Any]
"""A checked row: the fields that it sets by name, dates as text; `manager` is a username (None: has no manager)."""

_SET = frozenset(WRITABLE) - {"manager_id"}
_BLANK: Mapping[str, Any] = dict.fromkeys(WRITABLE) | {"status": "active"}


class _Stop(Exception):  # carries an outcome
    def __init__(self, outcome: Refused | Waits) -> None:
        self.outcome = outcome


def _by(column: str, *names: str) -> Query:
    return Query(select(*(employees.c[name] for name in names)).where(any_of(employees.c[column], "keys")))


_PEOPLE = Query(select(employees).where(any_of(employees.c.username_key, "keys")))
_MANAGERS = _by("username_key", "username_key", "id", "status")
_EMAILS = _by("email_key", "email_key", "id")
_NUMBERS = _by("employee_number", "employee_number", "id")


def importer(author: Author) -> Callable[[Connection, Sequence[Row]], Sequence[Outcome]]:
    """What `shared.imports` calls with each batch, in a unit."""
    return lambda conn, rows: _Batch(conn, rows, author).take(rows)


class _Batch:
    """Whom a batch names, kept up while its rows are taken."""

    def __init__(self, conn: Connection, rows: Sequence[Row], author: Author) -> None:
        self._conn, self._author = conn, author
        keys = [fold(row["username"]) for row in rows]
        found = (people.RECORDS.record(row) for row in conn.all(_PEOPLE, keys=keys))
        self._people = {person["username_key"]: person for person in found}
        named = {fold(name) for row in rows if (name := row.get("manager")) is not None}
        self._managers = {key: (id_, status) for key, id_, status in self._find(_MANAGERS, named)}
        self._emails = dict(self._find(_EMAILS, {fold(email) for row in rows if (email := row.get("email"))}))
        self._numbers = dict(self._find(_NUMBERS, {number for row in rows if (number := row.get("employee_number"))}))
        self._line = self._lines(rows)
        leaving = [
            person["id"]
            for key, row in zip(keys, rows, strict=True)
            if row.get("status") == "inactive" and (person := self._people.get(key)) and person["status"] == "active"
        ]
        self._reports = dict.fromkeys(leaving, 0) | (lines.count_direct(conn, leaving) if leaving else {})
        self._next_id = people.RECORDS.next_id(conn)
        self._created: list[dict[str, Any]] = []
        self._changed: list[tuple[dict[str, Any], dict[str, Any]]] = []

    def take(self, rows: Iterable[Row]) -> list[Outcome]:
        """Check every row, write those that may be, tell what became of each."""
        outcomes = [self._take(row) for row in rows]
        if self._created:
            people.add_words(self._conn, people.RECORDS.add_many(self._conn, self._created, self._author))
        for before, after in self._changed:
            people.rewrite(self._conn, before, after, self._author)
        return outcomes

    def _take(self, row: Row) -> Outcome:
        key = fold(row["username"])
        before = self._people.get(key)
        try:
            if "manager_id" in row and "manager" not in row:
                raise _Stop(Refused("manager_id", errors.MANAGER_BY_NAME))
            if before is None:
                return self._create(key, row)
            return self._change(key, before, row)
        except _Stop as stop:
            return stop.outcome

    def _create(self, key: str, row: Row) -> Outcome:
        if row.get("email") is None:
            raise _Stop(Refused("email", errors.REQUIRED))
        after = {**_BLANK, **_own(row), "manager_id": self._manager(row, None)}
        self._check(after, None)
        id_, self._next_id = self._next_id, self._next_id + 1
        self._created.append(after)
        self._note(key, id_, after, None)
        return "created"

    def _change(self, key: str, before: dict[str, Any], row: Row) -> Outcome:
        after = {name: before[name] for name in WRITABLE} | _own(row)
        if "manager" in row:
            after["manager_id"] = self._manager(row, before)
        if all(before[name] == value for name, value in after.items()):
            return "unchanged"
        if is_erased(before):
            raise _Stop(Refused("", f"{before['username']} {errors.ERASED}"))
        self._check(after, before)
        if before["status"] == "active" and after["status"] == "inactive" and (count := self._reports[before["id"]]):
            raise _Stop(Waits("status", errors.has_reports(before["username"], count)))
        self._changed.append((before, after))
        self._note(key, before["id"], after, before)
        return "updated"

    def _check(self, after: Mapping[str, Any], before: Mapping[str, Any] | None) -> None:
        own = None if before is None else before["id"]
        if wrong := rules.wrong_dates(after):
            raise _Stop(Refused(wrong[0].field, wrong[0].message))
        if self._emails.get(fold(after["email"]), own) != own:
            raise _Stop(Waits("email", errors.TAKEN))
        if self._numbers.get(after["employee_number"] or "", own) != own:
            raise _Stop(Waits("employee_number", errors.TAKEN))

    def _manager(self, row: Row, before: Mapping[str, Any] | None) -> int | None:
        """The id of the manager whom a row names, fit to be theirs."""
        name = row.get("manager")
        if name is None:
            return None
        id_, status = self._managers.get(fold(name), (None, ""))
        if before is not None and id_ is not None and before["manager_id"] == id_:
            return int(id_)
        if id_ is None and fold(name) != fold(row["username"]):
            raise _Stop(Waits("manager", f"{name}: {errors.MANAGER_UNKNOWN}", absent=True))
        if id_ is None or (before is not None and before["id"] == id_):
            raise _Stop(Refused("manager", errors.MANAGER_SELF))
        if status != "active":
            raise _Stop(Waits("manager", f"{name}: {errors.MANAGER_INACTIVE}"))
        if before is not None and lines.meets(self._line, id_, before["id"]):
            raise _Stop(Waits("manager", f"{name}: {errors.MANAGER_LOOP}"))
        return int(id_)

    def _note(self, key: str, id_: int, after: Mapping[str, Any], before: Mapping[str, Any] | None) -> None:
        """Make a row that was taken known to those after it."""
        self._managers[key] = (id_, after["status"])
        self._emails[fold(after["email"])] = id_
        if after["employee_number"] is not None:
            self._numbers[after["employee_number"]] = id_
        old, new = None if before is None else before["manager_id"], after["manager_id"]
        self._line[id_] = new
        if old != new:
            for manager, step in ((old, -1), (new, 1)):
                if manager in self._reports:
                    self._reports[manager] += step

    def _lines(self, rows: Sequence[Row]) -> dict[int, int | None]:
        """The lines above every manager whom the batch names; needed only when someone who is here already may get another one."""
        if not any("manager" in row and fold(row["username"]) in self._people for row in rows):
            return {}
        return lines.line_of(self._conn, [id_ for id_, _ in self._managers.values()])

    def _find(self, query: Query, keys: set[str]) -> Sequence[Any]:
        return self._conn.all(query, keys=sorted(keys)) if keys else ()


def _own(row: Row) -> dict[str, Any]:
    """What a row sets without looking anybody up; the service's own fields are passed over."""
    return {name: value for name, value in row.items() if name in _SET}

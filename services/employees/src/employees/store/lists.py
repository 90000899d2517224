"""Lists of employees: filters, search, sorting and paging."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import FromClause, bindparam, select

from employees.models import FIELDS, employee_tokens, employees
from shared.db import Reader, any_of
from shared.pages import Clause, Filter, Listing, Page, Sort
from shared.past import TimedListing, source_of
from shared.search import WordSearch
from shared.words import fold

ASKED: Final = ("department", "status", "manager_id", "email", "username", "id", "q")
_SORTED_BY_KEY: Final = ("display_name", "department", "title", "hired_on")
_SEARCH = WordSearch(employees.c.id, employees.c.words, employee_tokens)

EMPLOYEES: Final = source_of(employees)
"""Where they are read, now and in the past."""


def _listing(source: FromClause) -> Listing:
    people = source.c
    filters: dict[str, Filter] = {
        "department": people.department_key == bindparam("department"),
        "status": people.status == bindparam("status"),
        "manager_id": lambda id_: Clause("is", people.manager_id == bindparam("manager_id"), {"manager_id": id_}, few=True),
        "no_manager": lambda value: Clause("none", people.manager_id.is_(None), {}, told={"manager_id": "none"}),
        "email": people.email_key == bindparam("email"),
        "username": lambda keys: Clause("in", any_of(people.username_key, "username"), {"username": keys}, few=True),
        "id": lambda ids: Clause("in", any_of(people.id, "id"), {"id": ids}, few=True),
    }
    return Listing(
        select(*(people[name] for name in FIELDS)),
        people.id,
        sorts={name: Sort(people[name]) for name in ("id", "created_at", "updated_at")}
        | {name: Sort(people[f"{name}_key"]) for name in ("username", "email")}
        | {name: Sort(people[f"{name}_key"], empties=True) for name in _SORTED_BY_KEY},
        filters=filters | _SEARCH.filters,
    )


LISTING: Final = TimedListing(_listing, EMPLOYEES)


async def page(db: Reader, asked: Mapping[str, Any], *, sort: str, cursor: str | None, limit: int, count: bool) -> Page:
    """One page of the employees that match every filter and every word; rows are the columns of FIELDS. The past has no words.

    `asked` has a value, or None, for each of ASKED.

    Raises BadRequest for too many words and for a cursor that is not of this list, Gone for one of another epoch.
    """
    filters: dict[str, Any] = {
        "department": None if asked["department"] is None else fold(asked["department"]),
        "status": asked["status"],
        "email": None if asked["email"] is None else fold(asked["email"]),
        "username": None if asked["username"] is None else sorted({fold(name) for name in asked["username"]}),
        "id": None if asked["id"] is None else sorted(set(asked["id"])),
        "manager_id": asked["manager_id"] if isinstance(asked["manager_id"], int) else None,
        "no_manager": True if asked["manager_id"] == "none" else None,
    }
    if asked["q"] is not None:
        filters |= await _SEARCH.find(db, asked["q"])
    return await LISTING.page(db, filters, sort=sort, cursor=cursor, limit=limit, count=count)

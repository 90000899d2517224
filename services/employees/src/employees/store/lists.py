"""Lists of employees: filters, search, sorting and paging."""

from typing import Any, Final

from sqlalchemy import bindparam, select

from employees.models import employee_tokens, employees
from employees.schemas import FIELDS, ListQuery
from shared.db import Database, any_of
from shared.pages import Clause, Filter, Listing, Page, Sort
from shared.search import WordSearch
from shared.words import fold

_SORTED_BY_KEY: Final = ("display_name", "department", "title", "hired_on")
_SEARCH = WordSearch(employees.c.id, employees.c.words, employee_tokens)

_FILTERS: dict[str, Filter] = {
    "department": employees.c.department_key == bindparam("department"),
    "status": employees.c.status == bindparam("status"),
    "manager_id": employees.c.manager_id == bindparam("manager_id"),
    "no_manager": lambda value: Clause("none", employees.c.manager_id.is_(None), {}, told={"manager_id": "none"}),
    "email": employees.c.email_key == bindparam("email"),
    "username": any_of(employees.c.username_key, "username"),
    "id": any_of(employees.c.id, "id"),
}
LISTING = Listing(
    select(*(employees.c[name] for name in FIELDS)),
    employees.c.id,
    sorts={name: Sort(employees.c[name]) for name in ("id", "created_at", "updated_at")}
    | {name: Sort(employees.c[f"{name}_key"]) for name in ("username", "email")}
    | {name: Sort(employees.c[f"{name}_key"], empties=True) for name in _SORTED_BY_KEY},
    filters=_FILTERS | _SEARCH.filters,
)


async def page(db: Database, query: ListQuery) -> Page:
    """One page of the employees that match every filter and every word; rows are the columns of FIELDS.

    Raises BadRequest for too many words and for a cursor that is not of this list, Gone for one of another epoch.
    """
    filters: dict[str, Any] = {
        "department": None if query.department is None else fold(query.department),
        "status": query.status,
        "email": None if query.email is None else fold(query.email),
        "username": None if query.username is None else sorted({fold(name) for name in query.username}),
        "id": None if query.id is None else sorted(set(query.id)),
        "manager_id": query.manager_id if isinstance(query.manager_id, int) else None,
        "no_manager": True if query.manager_id == "none" else None,
    }
    filters |= await _SEARCH.find(db, query.q)
    return await LISTING.page(db, filters, sort=query.sort, cursor=query.cursor, limit=query.limit, count=query.count)

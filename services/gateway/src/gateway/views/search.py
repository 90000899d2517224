"""One search over both services."""

from typing import Any, Final

from gateway.clients import Ask, Employee, Page, Team, Upstream
from gateway.views.parts import Joined, Parts, Plan, Record

SEARCH: Final = Plan(optional=frozenset({"employees", "teams"}))


async def search(employees: Upstream, teams: Upstream, ask: Ask, words: str, limit: int, *, strict: bool) -> Joined:
    """Employees and teams whose names have these words, up to `limit` of each. Either may be missing, not both. Raises Problem."""
    query: dict[str, str | int] = {"q": words, "limit": limit}
    async with Parts(SEARCH, strict=strict) as parts:
        people = parts.ask_optional("employees", _found(employees, ask, "list_employees", Employee, "employee", query))
        groups = parts.ask_optional("teams", _found(teams, ask, "list_teams", Team, "team", query))
    if len(parts.missed) == 2:
        raise parts.missed[0]
    return Joined({"employees": people.result(), "teams": groups.result()}, parts.failures)


async def _found(service: Upstream, ask: Ask, operation: str, kind: type[Any], called: str, query: dict[str, str | int]) -> Record:
    page, _ = await service.get(ask, operation, Page[kind], query)  # type: ignore[valid-type]  # a generic made at run time
    return {"items": [{"type": called, **item} for item in page["items"]], "next": page["next"]}

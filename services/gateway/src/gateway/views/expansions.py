"""One record with what belongs to it: an employee's manager, teams and reports; a team's members, parent and subteams."""

from asyncio import Task
from collections.abc import Collection
from typing import Any, Final

from gateway.clients import Ask, Employee, Membership, Page, Team, Upstream
from gateway.schemas import MAX_EXPAND
from gateway.views.parts import Joined, Parts, Plan, Record
from shared.errors import Problem

BATCH: Final = 100
EMPLOYEE: Final = Plan(required=frozenset({"employee"}), optional=frozenset({"manager", "teams", "reports"}))
TEAM: Final = Plan(required=frozenset({"team"}), optional=frozenset({"members", "members.employee", "parent", "subteams"}))
RECORDS: Final = Plan(required=frozenset({"page"}))

ReadEmployee = tuple[Record, Employee]
ReadTeam = tuple[Record, Team]


async def expand_employee(
    employees: Upstream, teams: Upstream, ask: Ask, employee_id: int, expand: Collection[str], *, strict: bool
) -> Joined:
    """An employee with the parts asked for. Only the employee is required. Raises Problem."""
    async with Parts(EMPLOYEE, strict=strict) as parts:
        record = parts.ask("employee", employees.get(ask, "get_employee", Employee, employee_id=employee_id))
        found: dict[str, Task[Any]] = {}
        if "manager" in expand:
            found["manager"] = parts.ask_optional("manager", _manager(employees, ask, record))
        if "teams" in expand:
            found["teams"] = parts.ask_optional("teams", _teams_of(teams, ask, employee_id))
        if "reports" in expand:
            found["reports"] = parts.ask_optional("reports", _page(employees, ask, "list_reports", Employee, employee_id=employee_id))
    return Joined(record.result()[0] | {name: task.result() for name, task in found.items()}, parts.failures)


async def expand_team(employees: Upstream, teams: Upstream, ask: Ask, team_id: int, expand: Collection[str], *, strict: bool) -> Joined:
    """A team with the parts asked for. Only the team is required. Raises Problem."""
    async with Parts(TEAM, strict=strict) as parts:
        record = parts.ask("team", teams.get(ask, "get_team", Team, team_id=team_id))
        found: dict[str, Task[Any]] = {}
        if "members" in expand:
            found["members"] = parts.ask_optional("members", _members(employees, teams, ask, team_id, parts))
        if "parent" in expand:
            found["parent"] = parts.ask_optional("parent", _parent(teams, ask, record))
        if "subteams" in expand:
            found["subteams"] = parts.ask_optional("subteams", _page(teams, ask, "list_subteams", Team, team_id=team_id))
    return Joined(record.result()[0] | {name: task.result() for name, task in found.items()}, parts.failures)


async def _manager(employees: Upstream, ask: Ask, record: "Task[ReadEmployee]") -> Record | None:
    """The manager's record; None for who has none."""
    manager_id = (await record)[1].manager_id
    if manager_id is None:
        return None
    manager, _ = await employees.get(ask, "get_employee", Employee, employee_id=manager_id)
    return dict(manager)


async def _parent(teams: Upstream, ask: Ask, record: "Task[ReadTeam]") -> Record | None:
    """The parent's record; None for a team at the top."""
    parent_id = (await record)[1].parent_id
    if parent_id is None:
        return None
    parent, _ = await teams.get(ask, "get_team", Team, team_id=parent_id)
    return dict(parent)


async def _page(service: Upstream, ask: Ask, operation: str, kind: type[Any], **ids: int) -> Record:
    """The first rows of a list, and the cursor of the rest."""
    page, _ = await service.get(ask, operation, Page[kind], {"limit": MAX_EXPAND}, **ids)  # type: ignore[valid-type]  # a generic made at run time
    return {"items": page["items"], "next": page["next"]}


async def _teams_of(teams: Upstream, ask: Ask, employee_id: int) -> Record:
    """Someone's teams: the part in each, and the team's record."""
    _, page = await teams.get(ask, "list_memberships", Page[Membership], {"employee_id": employee_id, "limit": MAX_EXPAND})
    records = await _by_id(teams, ask, "list_teams", Team, [one.team_id for one in page.items])
    items = [{"role": one.role, "since": one.since, "team": records[one.team_id]} for one in page.items if one.team_id in records]
    return {"items": items, "next": page.next}


async def _members(employees: Upstream, teams: Upstream, ask: Ask, team_id: int, parts: Parts) -> Record:
    """A team's members, each with the employee's record; the records alone may be missing, as a part of their own."""
    _, page = await teams.get(ask, "list_members", Page[Membership], {"limit": MAX_EXPAND}, team_id=team_id)
    records: dict[int, Record] = {}
    try:
        records = await _by_id(employees, ask, "list_employees", Employee, [one.employee_id for one in page.items])
    except Problem as problem:
        parts.miss("members.employee", problem)
    return {"items": [_member(one, records.get(one.employee_id)) for one in page.items], "next": page.next}


def _member(one: Membership, employee: Record | None) -> Record:
    return {"employee_id": one.employee_id, "role": one.role, "since": one.since, "employee": employee}


async def _by_id(service: Upstream, ask: Ask, operation: str, kind: type[Any], ids: list[int]) -> dict[int, Record]:
    """Records by id, asked for in batches at the same time; an id that its owner does not know is left out."""
    async with Parts(RECORDS, strict=True) as parts:
        batches = [ids[at : at + BATCH] for at in range(0, len(ids), BATCH)]
        query: list[dict[str, int | list[int]]] = [{"id": batch, "limit": len(batch)} for batch in batches]
        pages = [parts.ask("page", service.get(ask, operation, Page[kind], one)) for one in query]  # type: ignore[valid-type]  # as above
    return {record["id"]: record for page in pages for record in page.result()[0]["items"]}

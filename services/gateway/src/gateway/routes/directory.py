"""What is put together from both services."""

from typing import Final

from quart import Blueprint, Response

from gateway import views
from gateway.routes.context import answer, ask, gateway, wants_all
from gateway.schemas.directory import ChartQuery, EmployeeWithParts, ExpandEmployee, ExpandTeam, Found, OrgChart, SearchQuery, TeamWithParts
from shared.operations import READ, operation
from shared.timeline import refuse_present_only

blueprint: Final = Blueprint("directory", __name__)
UPSTREAM: Final = (502,)
PREFER: Final = ("Prefer",)
COMPLETE: Final = {200: ("X-Gateway-Complete", "Preference-Applied")}


@blueprint.get("/v1/employees/<int:employee_id>")
@operation(allow=READ, query=ExpandEmployee, responses={200: EmployeeWithParts}, problems=(422, *UPSTREAM), takes=PREFER, gives=COMPLETE)
async def expand_employee(employee_id: int, query: ExpandEmployee) -> Response:
    """An employee with manager, teams or reports."""
    parts, strict, asked = gateway(), wants_all(), ask(query.as_of)
    joined = await views.expand_employee(parts.employees, parts.teams, asked, employee_id, query.expand, strict=strict)
    return answer(joined, asked, strict=strict)


@blueprint.get("/v1/teams/<int:team_id>")
@operation(allow=READ, query=ExpandTeam, responses={200: TeamWithParts}, problems=(422, *UPSTREAM), takes=PREFER, gives=COMPLETE)
async def expand_team(team_id: int, query: ExpandTeam) -> Response:
    """A team with members, parent or subteams."""
    parts, strict, asked = gateway(), wants_all(), ask(query.as_of)
    joined = await views.expand_team(parts.employees, parts.teams, asked, team_id, query.expand, strict=strict)
    return answer(joined, asked, strict=strict)


@blueprint.get("/v1/search")
@operation(allow=READ, query=SearchQuery, responses={200: Found}, problems=(422, *UPSTREAM), takes=PREFER, gives=COMPLETE)
async def search(query: SearchQuery) -> Response:
    """Employees and teams by words of their names."""
    if query.as_of is not None:
        refuse_present_only(q=query.q)
    parts, strict, asked = gateway(), wants_all(), ask()
    joined = await views.search(parts.employees, parts.teams, asked, query.q, query.limit, strict=strict)
    return answer(joined, asked, strict=strict)


@blueprint.get("/v1/org-chart")
@operation(allow=READ, query=ChartQuery, responses={200: OrgChart}, problems=(404, 422, 502), takes=PREFER, gives=COMPLETE)
async def org_chart(query: ChartQuery) -> Response:
    """Everyone below someone, as a tree."""
    strict, asked = wants_all(), ask(query.as_of)
    return answer(await views.org_chart(gateway().employees, asked, query.root, query.depth), asked, strict=strict)

"""What is put together from both services."""

from typing import Final

from quart import Blueprint, Response

from gateway import views
from gateway.routes.context import answer, ask, gateway, wants_all
from gateway.schemas.directory import ChartQuery, EmployeeWithParts, ExpandEmployee, ExpandTeam, Found, OrgChart, SearchQuery, TeamWithParts
from shared.operations import READ, operation

blueprint: Final = Blueprint("directory", __name__)
UPSTREAM: Final = (502,)
PREFER: Final = ("Prefer",)
COMPLETE: Final = {200: ("X-Gateway-Complete", "Preference-Applied")}


@blueprint.get("/v1/employees/<int:employee_id>")
@operation(allow=READ, query=ExpandEmployee, responses={200: EmployeeWithParts}, problems=UPSTREAM, takes=PREFER, gives=COMPLETE)
async def expand_employee(employee_id: int, query: ExpandEmployee) -> Response:
    """An employee with manager, teams or reports."""
    parts, strict = gateway(), wants_all()
    joined = await views.expand_employee(parts.employees, parts.teams, ask(), employee_id, query.expand, strict=strict)
    return answer(joined, strict=strict)


@blueprint.get("/v1/teams/<int:team_id>")
@operation(allow=READ, query=ExpandTeam, responses={200: TeamWithParts}, problems=UPSTREAM, takes=PREFER, gives=COMPLETE)
async def expand_team(team_id: int, query: ExpandTeam) -> Response:
    """A team with members, parent or subteams."""
    parts, strict = gateway(), wants_all()
    joined = await views.expand_team(parts.employees, parts.teams, ask(), team_id, query.expand, strict=strict)
    return answer(joined, strict=strict)


@blueprint.get("/v1/search")
@operation(allow=READ, query=SearchQuery, responses={200: Found}, problems=UPSTREAM, takes=PREFER, gives=COMPLETE)
async def search(query: SearchQuery) -> Response:
    """Employees and teams by words of their names."""
    parts, strict = gateway(), wants_all()
    joined = await views.search(parts.employees, parts.teams, ask(), query.q, query.limit, strict=strict)
    return answer(joined, strict=strict)


@blueprint.get("/v1/org-chart")
@operation(allow=READ, query=ChartQuery, responses={200: OrgChart}, problems=(404, 422, 502), takes=PREFER, gives=COMPLETE)
async def org_chart(query: ChartQuery) -> Response:
    """Everyone below someone, as a tree."""
    strict = wants_all()
    return answer(await views.org_chart(gateway().employees, ask(), query.root, query.depth), strict=strict)

"""Someone's place in a team: only for those who are there and active."""

from collections.abc import Mapping

from gateway.clients import Ask, Employee, Reply, Upstream
from shared.errors import Invalid, NotFound


async def put_member(
    employees: Upstream, teams: Upstream, ask: Ask, team_id: int, employee_id: int, body: bytes, headers: Mapping[str, str]
) -> Reply:
    """The teams service's answer, once the employees service has said that the employee is active.

    Raises NotFound for an unknown employee, Invalid for an inactive one, and the Problem of whichever service could not be asked.
    """
    try:
        _, employee = await employees.get(ask, "get_employee", Employee, employee_id=employee_id)
    except NotFound as error:
        raise NotFound(f"There is no employee {employee_id}.") from error
    if employee.status != "active":
        raise Invalid.of("employee_id", f"employee {employee_id} is not active")
    return await teams.send(ask, "put_member", headers=headers, body=body, team_id=team_id, employee_id=employee_id)

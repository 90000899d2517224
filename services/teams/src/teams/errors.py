"""What teams refuses, and with which status."""

from shared.errors import Conflict, FieldError, Invalid, NotFound


class NoSuchTeam(NotFound):
    """404: there is no team with this id."""

    def __init__(self, team_id: int) -> None:
        super().__init__(f"there is no team {team_id}")


class NoSuchMember(NotFound):
    """404: this employee is not in this team."""

    def __init__(self, team_id: int, employee_id: int) -> None:
        super().__init__(f"employee {employee_id} is not in team {team_id}")


class HasSubteams(Conflict):
    """409: a team with subteams is deleted only when it is said what becomes of them."""

    def __init__(self, count: int) -> None:
        noun = "a subteam" if count == 1 else f"{count} subteams"
        super().__init__(f"the team has {noun}: say ?subteams=reparent or ?subteams=delete", subteams=count)


class EmployeeDeleted(Invalid):
    """422: someone who was deleted can't be in a team."""

    def __init__(self, employee_id: int) -> None:
        message = f"employee {employee_id} has been deleted"
        super().__init__(message, errors=[FieldError("employee_id", message)])

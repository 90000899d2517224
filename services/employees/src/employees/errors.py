"""What is wrong with an employee, in the words that callers read: the same from a single request and from an import."""

from typing import Final

MANAGER_UNKNOWN: Final = "there is no such employee"
MANAGER_SELF: Final = "nobody is their own manager"
MANAGER_LOOP: Final = "reports to this employee already, so the line would be a loop"
MANAGER_INACTIVE: Final = "is inactive, and a manager must be active"
REQUIRED: Final = "is required"
MANAGER_BY_NAME: Final = "is not imported: name the manager by username, in a column manager"
ERASED: Final = "was erased, and stays as it is: it can only be deleted"
TAKEN: Final = "is taken by another employee"
LEFT_BEFORE_HIRED: Final = "is before hired_on"
REASSIGN_IDLE: Final = "is for deleting or deactivating an employee only"
REASSIGN_SELF: Final = "must be someone else"
REASSIGN_BELOW: Final = "reports to this employee; give them another manager first"


def has_reports(who: str, count: int) -> str:
    """Why someone with reports can't go."""
    return f"{who} has {count} {'report' if count == 1 else 'reports'}; say what becomes of them with reassign_reports_to=<id> or none"

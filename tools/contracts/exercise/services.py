"""The services on the stage, with the cases that only they have."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import employees
import teams
from employees.config import Settings as EmployeesSettings
from employees.examples import EXAMPLES as EMPLOYEES_EXAMPLES
from shared.testing.callers import Signer
from teams.config import Settings as TeamsSettings
from teams.examples import EXAMPLES as TEAMS_EXAMPLES
from tools.contracts.exercise.asking import body_of
from tools.contracts.exercise.refusals import UPLOAD
from tools.contracts.exercise.stage import Asked, Stage

SIGNER: Final = Signer("gateway")
QUIET: Final[dict[str, Any]] = {"access_log": False, "log_level": "error", "readers": 1, "max_upload": UPLOAD}
UNDER_A_KEY: Final = {"content-type": "application/json", "Idempotency-Key": "once"}
ROLES: Final = {"editor": "admin", "writer": "editor"}
"""Cases ask as an editor; some of them are for admins, so that one asks."""

STALE: Final = {"If-Match": '"77"'}


def employees_stage(folder: Path) -> Stage:
    """The employees service on a file of its own."""

    def make_app(**settings: Any) -> Any:
        return employees.create_app(EmployeesSettings(**{**QUIET, "identity_keys": SIGNER.public_keys, **settings}))

    return Stage(
        "employees",
        f"sqlite:///{folder / 'employees.db'}",
        make_app,
        lambda role: {} if role is None else SIGNER.headers("employees", ROLES.get(role, role)),
        EMPLOYEES_EXAMPLES,
        [conflicts_of_employees, unchanged, idempotency],
        {
            "list_changes": {},
            "list_audit": {},
            "list_employees": {},
            "list_reports": {"path": {"employee_id": 1}},
            "list_managers": {"path": {"employee_id": 3}},
            "list_employee_history": {"path": {"employee_id": 4}},
        },
    )


def teams_stage(folder: Path) -> Stage:
    """The teams service, which follows nobody."""

    def make_app(**settings: Any) -> Any:
        return teams.create_app(TeamsSettings(**{**QUIET, "identity_keys": SIGNER.public_keys, **settings}))

    first = {"path": {"team_id": 1}}
    return Stage(
        "teams",
        f"sqlite:///{folder / 'teams.db'}",
        make_app,
        lambda role: {} if role is None else SIGNER.headers("teams", ROLES.get(role, role)),
        TEAMS_EXAMPLES,
        [conflicts_of_teams, unchanged, idempotency],
        {
            **dict.fromkeys(("list_subteams", "list_members", "list_effective_members", "list_team_history"), first),
            **{name: {} for name in ("list_changes", "list_audit", "list_teams")},
            "list_memberships": {"employee_id": 1},
        },
    )


async def unchanged(stage: Asked) -> None:
    """Reads that know the version, and changes that know another one."""
    for one in stage.operations.values():
        if 304 in one.statuses:
            seen = await stage.ask(one.case(200, "to know its version", query={}))
            await stage.ask(one.case(304, "the same version", query={}, headers={"If-None-Match": seen.headers["etag"]}))
        if 412 in one.statuses:
            await stage.ask(one.case(412, "another version", headers=STALE))


async def idempotency(stage: Asked) -> None:
    """A repetition under one key, and another body under it."""
    for one in stage.operations.values():
        if 201 in one.statuses and "Idempotency-Key" in one.parameters("header"):
            case = replace(one.case(201, "the first under its key"), headers=UNDER_A_KEY)
            fresh = {**_example(stage, one.name), **_OTHER[one.name]}
            await stage.ask(replace(case, body=body_of(fresh)))
            await stage.ask(replace(case, body=body_of(fresh), about="again, under the same key", gives="idempotency-replayed"))
            await stage.ask(replace(case, status=422, about="another body under the same key", body=body_of({**fresh, **_ELSE[one.name]})))


_OTHER: Final[dict[str, Any]] = {
    "create_employee": {"username": "once", "email": "once@example.org"},
    "create_team": {"slug": "once"},
    "create_account": {"username": "once"},
    "create_token": {"name": "once"},
    "create_webhook": {"description": "once"},
}
_ELSE: Final[dict[str, Any]] = {
    "create_employee": {"username": "twice"},
    "create_team": {"slug": "twice"},
    "create_account": {"username": "twice"},
    "create_token": {"name": "twice"},
    "create_webhook": {"description": "twice"},
}


def _example(stage: Asked, name: str) -> dict[str, Any]:
    return dict(stage.examples[name].body)


async def conflicts_of_employees(stage: Asked) -> None:
    """Values that are taken, and people who lead others."""
    known = stage.operations
    taken = {"username": "ada", "email": "other@example.org"}
    for name in ("create_employee", "replace_employee", "patch_employee"):
        await stage.ask(known[name].case(409, "a username that is taken", body=body_of(taken), names="username"))
        loop = {"username": "x", "email": "x@example.org", "manager_id": 999}
        await stage.ask(known[name].case(422, "a manager who is not there", body=body_of(loop), names="manager_id"))
    head = known["patch_employee"].path(employee_id=1)
    await stage.ask(known["patch_employee"].case(422, "a loop", path=head, body=body_of({"manager_id": 3}), names="manager_id"))
    await stage.ask(known["delete_employee"].case(409, "who leads others", path=head, query={}, shows={"reports": 1}))
    await stage.ask(known["delete_employee"].case(422, "reports to nobody", path=head, query={"reassign_reports_to": 999}))
    erase = known["erase_employee"]
    await stage.ask(erase.case(409, "who leads others", path=erase.path(employee_id=1), query={}, shows={"reports": 1}))
    await stage.ask(erase.case(422, "reports to nobody", path=erase.path(employee_id=1), query={"reassign_reports_to": 999}))
    inactive = body_of({"status": "inactive"})
    await stage.ask(known["patch_employee"].case(409, "leads others, and leaves", path=head, query={}, body=inactive, shows={"reports": 1}))


async def conflicts_of_teams(stage: Asked) -> None:
    """Values that are taken, and teams with others below them."""
    known = stage.operations
    taken = body_of({"slug": "research", "name": "Other"})
    for name in ("create_team", "replace_team", "patch_team"):
        await stage.ask(known[name].case(409, "a slug that is taken", body=taken, names="slug"))
        orphan = body_of({"slug": "orphan", "name": "Orphan", "parent_id": 999})
        await stage.ask(known[name].case(422, "a parent that is not there", body=orphan, names="parent_id"))
    first = known["patch_team"].path(team_id=1)
    await stage.ask(known["patch_team"].case(422, "a loop", path=first, body=body_of({"parent_id": 3}), names="parent_id"))
    await stage.ask(known["delete_team"].case(409, "has teams below it", path=first, query={}))
    put = known["put_member"]
    await stage.ask(put.case(200, "a change of role", body=body_of({"role": "lead"})))
    for team, person in ((1, 4), (1, 5), (2, 1)):
        path = put.path(team_id=team, employee_id=person)
        await stage.ask(put.case(201, "another member", path=path, body=body_of({"role": "member"})))

"""The states of the providers: what each sentence of a pact's "given" stands for, set up through the service itself."""

from typing import Any, Final

from quart import Quart

import employees
import teams
from employees.config import Settings as EmployeesSettings
from employees.models import metadata as employees_metadata
from shared.changes import Author
from teams.config import Settings as TeamsSettings
from teams.models import metadata as teams_metadata
from teams.store import projection
from tools.contracts.asked import employees_by_gateway, employees_by_teams, teams_by_gateway
from tools.contracts.worlds import GATEWAY, SUBJECT, TEAMS, State, World

NOWHERE: Final = "http://127.0.0.1:9"


async def nothing(world: World) -> None:
    """An empty database."""


async def away(world: World) -> None:
    """The service runs, and its database does not answer it."""
    await world.db.close()


async def stranger(world: World) -> None:
    world.as_stranger()


async def reader(world: World) -> None:
    world.as_role("viewer")


async def hire(world: World, username: str, **fields: object) -> None:
    """One more employee; ids count from 1."""
    await world.call("POST", "/v1/employees", {"username": username, "email": f"{username}@example.org", **fields})


async def staff(world: World) -> None:
    await hire(world, "ada")
    await hire(world, "bob", manager_id=1)
    await hire(world, "eve", manager_id=1)
    await world.call("PATCH", "/v1/employees/3", {"status": "inactive"})


async def admin_of_staff(world: World) -> None:
    await staff(world)
    world.as_role("admin")


async def admin_of_tree(world: World) -> None:
    await tree(world)
    world.as_role("admin")


async def erased(world: World) -> None:
    await world.set_epoch(employees_by_teams.EPOCH)
    await hire(world, "ada")
    await world.call("POST", "/v1/employees/1/erase", **GATEWAY.headers("employees", "admin", SUBJECT))
    world.as_teams()


async def crowd(world: World) -> None:
    lines = ["username,email,manager", "ada,ada@example.org,", *(f"p{number},p{number}@example.org,ada" for number in range(201))]
    await world.call("POST", "/v1/employees/import", "\n".join(lines).encode(), **{"Content-Type": "text/csv"})


async def repeated(world: World) -> None:
    await world.call("POST", "/v1/employees", employees_by_gateway.ADA, **{"Idempotency-Key": "k-1"})


async def left_early(world: World) -> None:
    await hire(world, "ada")
    await world.call("DELETE", "/v1/employees/1")


async def quiet(world: World) -> None:
    world.as_teams()


async def story(world: World) -> None:
    await world.set_epoch(employees_by_teams.EPOCH)
    await hire(world, "ada")
    await hire(world, "bob")
    await world.call("PATCH", "/v1/employees/2", {"status": "inactive"})
    await world.call("DELETE", "/v1/employees/1")
    world.as_teams()


async def restored(world: World) -> None:
    await world.set_epoch("e2")
    world.as_teams()


async def feed_away(world: World) -> None:
    world.as_teams()
    await away(world)


async def tree(world: World) -> None:
    await world.call("POST", "/v1/teams", {"slug": "company", "name": "Company"})
    await world.call("POST", "/v1/teams", {"slug": "core", "name": "Core", "parent_id": 1})
    for place, role in (("1/members/1", "lead"), ("2/members/1", "lead"), ("2/members/2", "member")):
        await world.call("PUT", f"/v1/teams/{place}", {"role": role, "since": "2024-01-31"})


async def empty(world: World) -> None:
    await world.call("POST", "/v1/teams", {"slug": "company", "name": "Company"})


async def left(world: World) -> None:
    await empty(world)
    gone = projection.Person(2, "bob", "active", True, "2026-11-22T07:49:09.123456Z", 4)
    at = await projection.POSITIONS.read(world.db)
    await world.db.write(lambda conn: projection.apply(conn, at, [gone], "e1.4", Author("service:employees-feed", "feed")))


EMPLOYEES: Final[dict[str, State]] = {
    employees_by_gateway.NOBODY: nothing,
    employees_by_gateway.STAFF: staff,
    employees_by_gateway.CROWD: crowd,
    employees_by_gateway.REPEATED: repeated,
    employees_by_gateway.AWAY: away,
    employees_by_gateway.STRANGER: stranger,
    employees_by_gateway.READER: reader,
    employees_by_gateway.LEFT: left_early,
    employees_by_gateway.ADMIN: admin_of_staff,
}
FEED: Final[dict[str, State]] = {
    employees_by_teams.QUIET: quiet,
    employees_by_teams.STORY: story,
    employees_by_teams.ERASED: erased,
    employees_by_teams.RESTORED: restored,
    employees_by_teams.AWAY: feed_away,
    employees_by_teams.STRANGER: stranger,
}
GROUPS: Final[dict[str, State]] = {
    teams_by_gateway.NONE: nothing,
    teams_by_gateway.TREE: tree,
    teams_by_gateway.EMPTY: empty,
    teams_by_gateway.LEFT: left,
    teams_by_gateway.AWAY: away,
    teams_by_gateway.READER: reader,
    teams_by_gateway.ADMIN: admin_of_tree,
}


def employees_app(database_url: str, **more: Any) -> Quart:
    """The employees service, with the keys of its callers; `more` are settings of its."""
    settings = EmployeesSettings(
        database_url=database_url,
        readers=1,
        migrate=False,
        log_level="error",
        access_log=False,
        identity_keys=GATEWAY.public_keys,
        feed_keys=TEAMS.public_keys,
        **more,
    )
    return employees.create_app(settings)


def teams_app(database_url: str, **more: Any) -> Quart:
    """The teams service, following employees that never answer: what it knows of people is what a state tells it."""
    settings = TeamsSettings(
        database_url=database_url,
        readers=1,
        migrate=False,
        log_level="error",
        access_log=False,
        identity_keys=GATEWAY.public_keys,
        employees_url=NOWHERE,
        signing_key=TEAMS.private_key,
        feed_retry=3600.0,
        **more,
    )
    return teams.create_app(settings)


def world_of(consumer: str, provider: str, database_url: str) -> World:
    """The provider of a pact, in the states that this consumer speaks of."""
    if provider == "teams":
        return World("teams", database_url, teams_app, teams_metadata, GROUPS)
    return World("employees", database_url, employees_app, employees_metadata, FEED if consumer == "teams" else EMPLOYEES)

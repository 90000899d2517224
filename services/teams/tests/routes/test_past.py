"""`?as_of=` and the history at teams, with people who go and come back as its feed tells."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from shared.db import Database, utc_now
from shared.past import Past
from shared.timeline import Timeline
from teams.follower import AUTHOR
from teams.models import log
from teams.store import lists, projection


def today() -> str:
    return datetime.now(UTC).date().isoformat()


async def test_teams_and_members_are_as_they_were(api: Any) -> None:
    company = await api.team("company")
    core = await api.team("core", company)
    await api.join(core, 7, "lead")
    then = (await api("GET", f"/v1/teams/{core}/members/7")).json["updated_at"]
    await api("PATCH", f"/v1/teams/{core}", {"parent_id": None, "slug": "kernel"})
    await api("DELETE", f"/v1/teams/{core}/members/7")

    async def asked(path: str, **more: Any) -> Any:
        answer = await api("GET", f"{path}{'&' if '?' in path else '?'}as_of={then}", **more)
        assert answer.headers["x-as-of"] == then <= answer.headers["x-as-of-stable"]
        return answer.json

    assert (await asked(f"/v1/teams/{core}"))["slug"] == "core"
    assert [one["slug"] for one in (await asked("/v1/teams?slug=core"))["items"]] == ["core"]
    assert [one["id"] for one in (await asked(f"/v1/teams/{company}/subteams?depth=5"))["items"]] == [core]
    assert (await asked(f"/v1/teams/{core}/members/7"))["role"] == "lead"
    assert [one["employee_id"] for one in (await asked(f"/v1/teams/{core}/members?count=true"))["items"]] == [7]
    assert (await asked(f"/v1/teams/{company}/effective-members"))["items"][0]["paths"] == [["company", "core"]]
    assert (await asked("/v1/memberships?employee_id=7"))["items"][0]["team_id"] == core
    assert [one["team_id"] for one in (await asked("/v1/memberships?employee_id=7&effective=true"))["items"]] == [company, core]
    for path in (f"/v1/teams/{core}/members/7", f"/v1/teams/{core}/members?as_of=2020-01-01", "/v1/teams/1?as_of=2020-01-01"):
        assert (await api("GET", path)).status == 404
    assert (await api("GET", "/v1/memberships?as_of=2020-01-01")).json == {"items": [], "next": None}
    for query, field in (("sort=name", "sort"), ("q=core", "q")):
        answer = await api("GET", f"/v1/teams?{query}&as_of={then}")
        assert (answer.status, answer.json["errors"][0]["field"]) == (422, field)
    for table, line in (("teams", b"core,Core,,company,"), ("memberships", b"core,7,lead,")):
        answer = await api("GET", f"/v1/{table}/export?as_of={then}")
        assert line in answer.body


async def tell(db: Database, employee_id: int, status: str) -> None:
    """What the feed of employees would bring."""
    at = await projection.POSITIONS.read(db)
    seq = int(at.cursor or 0) + 1
    person = projection.Person(employee_id, "x", "inactive" if status == "deleted" else status, status == "deleted", "then", seq)
    await db.write(lambda conn: projection.apply(conn, at, [person], str(seq), AUTHOR))


async def test_who_was_known_to_be_away_is_left_out_of_lists_of_then(db: Database, add_team: Any, join: Any) -> None:
    """Each instant shows whom the service showed then, and everybody where the inactive are asked for."""
    team = await add_team("core")
    for employee in (1, 2, 3):
        await join(team, employee)
    timeline = Timeline(db, log)
    shown: list[tuple[str, list[int]]] = []
    for employee, status in ((2, "inactive"), (3, "inactive"), (2, "active"), (3, "deleted"), (1, "active"), (2, "inactive")):
        shown.append(((await timeline.moment(utc_now())).at, await members_of(db, team)))
        await tell(db, employee, status)
    assert [people for _, people in shown] == [[1, 2, 3], [1, 3], [1], [1, 2], [1, 2], [1, 2]]
    for at, people in shown:
        past = Past(db, await timeline.moment(at))
        assert await members_of(past, team) == people
        assert await members_of(past, team, active=None) == ([1, 2, 3] if at < shown[4][0] else [1, 2])
    assert await members_of(Past(db, await timeline.moment(utc_now())), team) == [1]


async def members_of(db: Any, team_id: int, active: bool | None = True) -> list[int]:
    page = await lists.MEMBERS.page(db, {"team_id": team_id, "active": active})
    return [row[2] for row in page.rows]


async def test_a_history_has_the_team_and_who_came_and_went(api: Any) -> None:
    core = await api.team("core")
    await api.join(core, 7)
    await api.join(core, 7, "lead")
    await api.join(core, 8)
    await api("PATCH", f"/v1/teams/{core}", {"name": "Kernel"})
    then = (await api("GET", f"/v1/teams/{core}")).json["updated_at"]
    await api("DELETE", f"/v1/teams/{core}")
    path = f"/v1/teams/{core}/history"
    found = await api.walk(f"{path}?limit=2")
    assert [(one["entity"], one["kind"], one.get("employee_id")) for one in found] == [
        ("team", "deleted", None),
        ("membership", "deleted", 8),
        ("membership", "deleted", 7),
        ("team", "updated", None),
        ("membership", "created", 8),
        ("membership", "updated", 7),
        ("membership", "created", 7),
        ("team", "created", None),
    ]
    assert found[3]["changes"] == [{"field": "name", "old": "Core", "new": "Kernel"}]
    assert found[5]["changes"] == [{"field": "role", "old": "member", "new": "lead"}]
    assert {one["actor_name"] for one in found} == {"open"}
    assert await api.walk(f"{path}?limit=2&as_of={then}") == found[3:]
    assert (await api("GET", "/v1/teams/99/history")).status == 404


async def test_lists_of_today_are_of_one_instant_while_people_come_and_go(api: Any) -> None:
    core = await api.team("core")

    async def write() -> None:
        for number in range(1, 16):
            await api.join(core, number)
            if number % 2:
                await api("DELETE", f"/v1/teams/{core}/members/{number}")

    writing = asyncio.create_task(write())
    for _ in range(15):
        answer = await api("GET", f"/v1/teams/{core}/effective-members?limit=200&count=true&as_of={today()}")
        assert answer.json["total"] == len(answer.json["items"])
        again = await api("GET", f"/v1/teams/{core}/effective-members?limit=200&count=true&as_of={answer.headers['x-as-of']}")
        assert again.json == answer.json
    await writing

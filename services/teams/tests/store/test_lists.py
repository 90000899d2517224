"""Lists of teams: a cursor goes on in the list that it came from, and in no other."""

from collections.abc import Awaitable, Callable

import pytest

from shared.db import Database
from shared.errors import BadRequest
from teams.store import lists

AddTeam = Callable[..., Awaitable[int]]
Join = Callable[..., Awaitable[None]]


async def test_a_cursor_of_roots_is_none_of_all_teams(db: Database, add_team: AddTeam) -> None:
    for slug in ("core", "docs"):
        await add_team(slug)
    page = await lists.TEAMS.page(db, {"roots": True}, limit=1)
    assert len((await lists.TEAMS.page(db, {"roots": True}, limit=1, cursor=page.next)).rows) == 1
    with pytest.raises(BadRequest, match="cursor"):
        await lists.TEAMS.page(db, {}, limit=1, cursor=page.next)


async def test_a_cursor_of_active_people_is_none_of_everyone(db: Database, add_team: AddTeam, join: Join) -> None:
    teams = [await add_team(slug) for slug in ("core", "docs")]
    for team in teams:
        for employee in (1, 2):
            await join(team, employee)
    direct = await lists.MEMBERS.page(db, {"team_id": teams[0], "active": True}, limit=1)
    with pytest.raises(BadRequest, match="cursor"):
        await lists.MEMBERS.page(db, {"team_id": teams[0]}, limit=1, cursor=direct.next)
    for listed, id_ in ((lists.effective_members, teams[0]), (lists.effective_memberships, 1)):
        page = await listed(db, id_, everyone=False, cursor=None, limit=1, count=False)
        following = await listed(db, id_, everyone=False, cursor=page.next, limit=1, count=False)
        assert (len(page.rows), len(following.rows), following.next) == (1, 1, None)
        with pytest.raises(BadRequest, match="cursor"):
            await listed(db, id_, everyone=True, cursor=page.next, limit=1, count=False)

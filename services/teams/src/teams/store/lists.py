"""Lists of teams and of memberships: filters, search, sorting and paging. Those that recurse through the tree are one query each."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, select

from shared.cursors import cursor_at, place_of
from shared.db import Database, any_of
from shared.pages import Clause, Listing, Page, Sort
from shared.search import WordSearch
from teams.models import MAX_DEPTH, memberships, team_tokens, teams
from teams.store import tree
from teams.store.members import COLUMNS as MEMBERSHIP
from teams.store.teams import COLUMNS as TEAM

SEARCH = WordSearch(teams.c.id, teams.c.words, team_tokens)

TEAMS = Listing(
    select(*TEAM),
    teams.c.id,
    sorts={name: Sort(teams.c[name]) for name in ("id", "slug", "created_at", "updated_at")} | {"name": Sort(teams.c.name_key)},
    filters={
        "slug": any_of(teams.c.slug, "slug"),
        "id": any_of(teams.c.id, "id"),
        "parent_id": teams.c.parent_id == bindparam("parent_id"),
        "roots": lambda _: Clause("roots", teams.c.parent_id.is_(None), {}, told={"parent_id": "none"}),
        **SEARCH.filters,
    },
)

_down = tree.depths()
SUBTEAMS = Listing(
    select(*TEAM, _down.c.depth).join_from(_down, teams, teams.c.id == _down.c.id).where(_down.c.depth > 0),
    teams.c.id,
    sorts={"depth": Sort(_down.c.depth)},
    default="depth",
)

_MEMBER_FILTERS: dict[str, Any] = {
    "role": memberships.c.role == bindparam("role"),
    "active": lambda _: Clause("active", tree.visible(everyone=False), {}, told={"active": True}),
}
MEMBERS = Listing(
    select(*MEMBERSHIP),
    memberships.c.employee_id,
    sorts={"employee_id": Sort(memberships.c.employee_id)},
    filters={"team_id": memberships.c.team_id == bindparam("team_id"), **_MEMBER_FILTERS},
    default="employee_id",
)
MEMBERSHIPS = Listing(
    select(*MEMBERSHIP),
    memberships.c.id,
    sorts={"id": Sort(memberships.c.id)},
    filters={
        "employee_id": any_of(memberships.c.employee_id, "employee_id"),
        "team_id": any_of(memberships.c.team_id, "team_id"),
        **_MEMBER_FILTERS,
    },
)


async def page(
    db: Database, q: str | None, filters: Mapping[str, Any], *, sort: str | None, cursor: str | None, limit: int, count: bool
) -> Page:
    """One page of the teams that match every filter and every word of `q`. Raises BadRequest, Gone for the cursor or the sort."""
    found = await SEARCH.find(db, q)
    return await TEAMS.page(db, {**filters, **found}, sort=sort, cursor=cursor, limit=limit, count=count)


async def subteams(db: Database, team_id: int, levels: int, *, cursor: str | None, limit: int, count: bool) -> Page:
    """One page of the teams below a team, the nearest first: the columns of a team, and the depth."""
    return await SUBTEAMS.page(db, {}, cursor=cursor, limit=limit, count=count, always={"team_id": team_id, "levels": levels})


async def effective_members(db: Database, team_id: int, *, everyone: bool, cursor: str | None, limit: int, count: bool) -> Page:
    """Everyone in a team or below it, by id: rows of employee_id, role in the team itself (or None), paths."""
    parameters = {"team_id": team_id, "everyone": everyone}
    after = 0 if cursor is None else place_of(db, "effective-members", parameters, cursor)[1]
    rows = tree.by_first(await db.all(tree.EFFECTIVE_MEMBERS[everyone], team_id=team_id, after=after, limit=limit + 1))
    following = cursor_at(db, "effective-members", parameters, 0, rows[limit - 1][0]) if len(rows) > limit else None
    total = await db.one(tree.COUNT_EFFECTIVE_MEMBERS[everyone], team_id=team_id, levels=MAX_DEPTH) if count else None
    return Page(("employee_id", "role", "paths"), rows[:limit], following, total[0] if total else None)


async def effective_memberships(db: Database, employee_id: int, *, everyone: bool, cursor: str | None, limit: int, count: bool) -> Page:
    """Every team that someone is in, or in a team below it, by the team's id: team_id, its slug, employee_id, role, paths."""
    parameters = {"employee_id": employee_id, "everyone": everyone}
    after = 0 if cursor is None else place_of(db, "effective-memberships", parameters, cursor)[1]
    rows = tree.by_first(await db.all(tree.EFFECTIVE_TEAMS[everyone], employee_id=employee_id, after=after, limit=limit + 1))
    following = cursor_at(db, "effective-memberships", parameters, 0, rows[limit - 1][0]) if len(rows) > limit else None
    total = await db.one(tree.COUNT_EFFECTIVE_TEAMS[everyone], employee_id=employee_id) if count else None
    items = [(team_id, slug, employee_id, role, paths) for team_id, slug, role, paths in rows[:limit]]
    return Page(("team_id", "slug", "employee_id", "role", "paths"), items, following, total[0] if total else None)

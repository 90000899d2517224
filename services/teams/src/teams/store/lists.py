"""Lists of teams and of memberships: filters, search, sorting and paging. Those that recurse through the tree are one query each."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import FromClause, bindparam, select

from shared.cursors import cursor_at, place_of
from shared.db import Reader, any_of
from shared.pages import Clause, Listing, Page, Sort
from shared.past import TimedListing
from shared.search import WordSearch
from teams.models import FIELDS, MAX_DEPTH, MEMBERSHIP_FIELDS, team_tokens, teams
from teams.store import tree

SEARCH = WordSearch(teams.c.id, teams.c.words, team_tokens)


def _teams(teams: FromClause) -> Listing:
    return Listing(
        select(*(teams.c[name] for name in FIELDS)),
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


def _subteams(teams: FromClause) -> Listing:
    down = tree.depths(teams)
    below = select(*(teams.c[name] for name in FIELDS), down.c.depth).join_from(down, teams, teams.c.id == down.c.id)
    return Listing(below.where(down.c.depth > 0), teams.c.id, sorts={"depth": Sort(down.c.depth)}, default="depth")


def _filters(memberships: FromClause, people: FromClause) -> dict[str, Any]:
    return {
        "role": memberships.c.role == bindparam("role"),
        "active": lambda _: Clause("active", tree.visible(False, memberships, people), {}, told={"active": True}),
    }


def _members(memberships: FromClause, people: FromClause) -> Listing:
    return Listing(
        select(*(memberships.c[name] for name in MEMBERSHIP_FIELDS)),
        memberships.c.employee_id,
        sorts={"employee_id": Sort(memberships.c.employee_id)},
        filters={"team_id": memberships.c.team_id == bindparam("team_id"), **_filters(memberships, people)},
        default="employee_id",
    )


def _memberships(memberships: FromClause, people: FromClause) -> Listing:
    return Listing(
        select(*(memberships.c[name] for name in MEMBERSHIP_FIELDS)),
        memberships.c.id,
        sorts={"id": Sort(memberships.c.id)},
        filters={
            "employee_id": any_of(memberships.c.employee_id, "employee_id"),
            "team_id": any_of(memberships.c.team_id, "team_id"),
            **_filters(memberships, people),
        },
    )


TEAMS = TimedListing(_teams, tree.TEAMS)
SUBTEAMS = TimedListing(_subteams, tree.TEAMS)
MEMBERS = TimedListing(_members, tree.MEMBERSHIPS, tree.PEOPLE)
MEMBERSHIPS = TimedListing(_memberships, tree.MEMBERSHIPS, tree.PEOPLE)


async def page(
    db: Reader, q: str | None, filters: Mapping[str, Any], *, sort: str | None, cursor: str | None, limit: int, count: bool
) -> Page:
    """One page of the teams that match every filter and every word of `q`. Raises BadRequest, Gone for the cursor or the sort."""
    found = {} if q is None else await SEARCH.find(db, q)
    return await TEAMS.page(db, {**filters, **found}, sort=sort, cursor=cursor, limit=limit, count=count)


async def subteams(db: Reader, team_id: int, levels: int, *, cursor: str | None, limit: int, count: bool) -> Page:
    """One page of the teams below a team, the nearest first: the columns of a team, and the depth."""
    return await SUBTEAMS.page(db, {}, cursor=cursor, limit=limit, count=count, always={"team_id": team_id, "levels": levels})


async def effective_members(db: Reader, team_id: int, *, everyone: bool, cursor: str | None, limit: int, count: bool) -> Page:
    """Everyone in a team or below it, by id: rows of employee_id, role in the team itself (or None), paths."""
    parameters = {"team_id": team_id, "everyone": everyone}
    after = 0 if cursor is None else place_of(db, "effective-members", parameters, cursor)[1]
    rows = tree.by_first(await db.all(tree.EFFECTIVE_MEMBERS[everyone], team_id=team_id, after=after, limit=limit + 1))
    following = cursor_at(db, "effective-members", parameters, 0, rows[limit - 1][0]) if len(rows) > limit else None
    total = await db.one(tree.COUNT_EFFECTIVE_MEMBERS[everyone], team_id=team_id, levels=MAX_DEPTH) if count else None
    return Page(("employee_id", "role", "paths"), rows[:limit], following, total[0] if total else None)


async def effective_memberships(db: Reader, employee_id: int, *, everyone: bool, cursor: str | None, limit: int, count: bool) -> Page:
    """Every team that someone is in, or in a team below it, by the team's id: team_id, its slug, employee_id, role, paths."""
    parameters = {"employee_id": employee_id, "everyone": everyone}
    after = 0 if cursor is None else place_of(db, "effective-memberships", parameters, cursor)[1]
    rows = tree.by_first(await db.all(tree.EFFECTIVE_TEAMS[everyone], employee_id=employee_id, after=after, limit=limit + 1))
    following = cursor_at(db, "effective-memberships", parameters, 0, rows[limit - 1][0]) if len(rows) > limit else None
    total = await db.one(tree.COUNT_EFFECTIVE_TEAMS[everyone], employee_id=employee_id) if count else None
    items = [(team_id, slug, employee_id, role, paths) for team_id, slug, role, paths in rows[:limit]]
    return Page(("team_id", "slug", "employee_id", "role", "paths"), items, following, total[0] if total else None)

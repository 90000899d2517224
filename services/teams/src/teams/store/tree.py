"""What is above and below a team, each answer by one recursive query that reads alike on both databases.

A path is the slugs of teams from the one asked for to the one that holds the membership, joined by `/`, which no slug has: it sorts
byte by byte, and is split again by `by_first`.
"""

from collections.abc import Callable, Iterable
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import CTE, ColumnElement, FromClause, Select, and_, bindparam, case, false, func, literal, null, or_, select, true
from sqlalchemy.types import BigInteger, Text

from shared.db import Query, any_of
from shared.past import Source, Timed, source_of
from teams.models import MAX_DEPTH, MAX_PATHS, absences, memberships, people, teams

Row = tuple[Any, ...]


def _absent_then() -> FromClause:
    """Whom `people` would have shown as inactive or gone at the instant of the parameter `at`: these alone, in its columns."""
    away = and_(absences.c.at_from <= bindparam("at"), or_(absences.c.at_to.is_(None), absences.c.at_to > bindparam("at")))
    shown = select(absences.c.employee_id, literal("inactive", Text).label("status"), false().label("deleted"))
    return shown.where(away).subquery("people")


TEAMS: Final = source_of(teams)
MEMBERSHIPS: Final = source_of(memberships)
PEOPLE: Final = Source(people, _absent_then())
"""Where they are read, now and in the past."""


def _below(teams: FromClause) -> CTE:
    """The team `team_id` and every team below it, with depth and path."""
    down = (
        select(teams.c.id, literal(0, BigInteger).label("depth"), teams.c.slug.label("path"))
        .where(teams.c.id == bindparam("team_id"))
        .cte("down", recursive=True)
    )
    child = teams.alias("child")
    return down.union_all(
        select(child.c.id, down.c.depth + 1, down.c.path + "/" + child.c.slug)
        .join_from(down, child, child.c.parent_id == down.c.id)
        .where(down.c.depth < MAX_DEPTH)
    )


def depths(teams: FromClause) -> CTE:
    """The same without paths, down to `levels`."""
    down = select(teams.c.id, literal(0, BigInteger).label("depth")).where(teams.c.id == bindparam("team_id")).cte("down", recursive=True)
    child = teams.alias("child")
    return down.union_all(
        select(child.c.id, down.c.depth + 1)
        .join_from(down, child, child.c.parent_id == down.c.id)
        .where(down.c.depth < bindparam("levels", type_=BigInteger))
    )


def _above() -> CTE:
    """The teams `team_ids` and every team above them, each once (UNION), with its parent."""
    up = select(teams.c.id, teams.c.parent_id).where(any_of(teams.c.id, "team_ids")).cte("up", recursive=True)
    return up.union(select(up.c.parent_id, _of_parent(teams, up, "parent_id")).where(up.c.parent_id.is_not(None)))


def _of_person(everyone: bool, teams: FromClause, memberships: FromClause, people: FromClause) -> CTE:
    """The teams of `employee_id` and every team above them, with the path from each down to the membership."""
    up = (
        select(teams.c.id, teams.c.parent_id, memberships.c.role, literal(0, BigInteger).label("depth"), teams.c.slug.label("path"))
        .join_from(memberships, teams, teams.c.id == memberships.c.team_id)
        .where(memberships.c.employee_id == bindparam("employee_id"), visible(everyone, memberships, people))
        .cte("up", recursive=True)
    )
    path = _of_parent(teams, up, "slug") + "/" + up.c.path
    above = select(up.c.parent_id, _of_parent(teams, up, "parent_id"), up.c.role, up.c.depth + 1, path)
    return up.union_all(above.where(up.c.parent_id.is_not(None), up.c.depth < MAX_DEPTH))


def _of_parent(teams: FromClause, up: CTE, name: str) -> ColumnElement[Any]:
    """A column of the parent of the team in hand. Not a join: PostgreSQL would read the whole table for it, once for each level."""
    parent = teams.alias(f"parent_{name}")
    return select(parent.c[name]).where(parent.c.id == up.c.parent_id).scalar_subquery()


def visible(everyone: bool, memberships: FromClause, people: FromClause) -> ColumnElement[bool]:
    """Whether a membership is listed: those of people known to be inactive or gone are not, unless `everyone` is asked for."""
    if everyone:
        return true()
    hidden = select(literal(1)).where(
        people.c.employee_id == memberships.c.employee_id, or_(people.c.deleted.is_(True), people.c.status != "active")
    )
    return ~hidden.exists()


def _effective_members(everyone: bool, teams: FromClause, memberships: FromClause, people: FromClause) -> Select[Any]:
    down = _below(teams)
    within = memberships.join(down, down.c.id == memberships.c.team_id)
    page = (
        select(memberships.c.employee_id)
        .select_from(within)
        .where(memberships.c.employee_id > bindparam("after"), visible(everyone, memberships, people))
        .distinct()
        .order_by(memberships.c.employee_id)
        .limit(bindparam("limit"))
        .cte("page")
    )
    place = func.row_number().over(partition_by=memberships.c.employee_id, order_by=(down.c.depth, down.c.path))
    role = case((down.c.depth == 0, memberships.c.role), else_=null())
    ranked = (
        select(memberships.c.employee_id, role.label("role"), down.c.path, place.label("place"))
        .select_from(within.join(page, page.c.employee_id == memberships.c.employee_id))
        .cte("ranked")
    )
    return (
        select(ranked.c.employee_id, ranked.c.role, ranked.c.path)
        .where(ranked.c.place <= MAX_PATHS)
        .order_by(ranked.c.employee_id, ranked.c.place)
    )


def _effective_teams(everyone: bool, teams: FromClause, memberships: FromClause, people: FromClause) -> Select[Any]:
    up = _of_person(everyone, teams, memberships, people)
    page = select(up.c.id).where(up.c.id > bindparam("after")).distinct().order_by(up.c.id).limit(bindparam("limit")).cte("page")
    place = func.row_number().over(partition_by=up.c.id, order_by=(up.c.depth, up.c.path))
    role = case((up.c.depth == 0, up.c.role), else_=null())
    ranked = select(up.c.id, role.label("role"), up.c.path, place.label("place")).join_from(up, page, page.c.id == up.c.id).cte("ranked")
    return (
        select(ranked.c.id, teams.c.slug, ranked.c.role, ranked.c.path)
        .join_from(ranked, teams, teams.c.id == ranked.c.id)
        .where(ranked.c.place <= MAX_PATHS)
        .order_by(ranked.c.id, ranked.c.place)
    )


def _counted(source: Select[Any]) -> Select[Any]:
    return select(func.count()).select_from(source.subquery())


def _count_effective_members(everyone: bool, teams: FromClause, memberships: FromClause, people: FromClause) -> Select[Any]:
    down = depths(teams)
    within = memberships.join(down, down.c.id == memberships.c.team_id)
    return _counted(select(memberships.c.employee_id).select_from(within).where(visible(everyone, memberships, people)).distinct())


def _count_effective_teams(everyone: bool, teams: FromClause, memberships: FromClause, people: FromClause) -> Select[Any]:
    return _counted(select(_of_person(everyone, teams, memberships, people).c.id).distinct())


def _for_both(make: Callable[..., Select[Any]]) -> dict[bool, Timed]:
    """By whether everyone is asked for."""
    return {everyone: Timed(partial(make, everyone), TEAMS, MEMBERSHIPS, PEOPLE) for everyone in (False, True)}


PARENTS = Query(select(_above()))
"""The id and the parent's id of some teams and of every team above them: `team_ids`."""

_down = depths(teams)
HEIGHT = Query(select(func.max(_down.c.depth)))
"""Levels below a team, none is 0: `team_id`, `levels`."""

SUBTREE = Query(select(_down.c.id).order_by(_down.c.depth.desc(), _down.c.id))
"""The ids of a team and those below it, deepest first: `team_id`, `levels`."""

EFFECTIVE_MEMBERS = _for_both(_effective_members)
"""employee_id, role, path: `team_id`, `after` (an employee_id), `limit` (people, not rows)."""

EFFECTIVE_TEAMS = _for_both(_effective_teams)
"""team_id, slug, role, path: `employee_id`, `after` (a team_id), `limit` (teams, not rows)."""

COUNT_EFFECTIVE_MEMBERS = _for_both(_count_effective_members)
"""`team_id`, `levels`."""

COUNT_EFFECTIVE_TEAMS = _for_both(_count_effective_teams)
"""`employee_id`."""


def by_first(rows: Iterable[Row]) -> list[Row]:
    """One row for each run with the same first column: the first of the run, with the paths (last column) of all of it."""
    runs = [list(run) for _, run in groupby(rows, itemgetter(0))]
    return [(*run[0][:-1], [row[-1].split("/") for row in run]) for run in runs]

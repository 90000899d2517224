"""Everything as it stood at one instant, a page at a time: no transaction is held for a slow reader."""

from collections.abc import AsyncIterator
from typing import Any

from sqlalchemy import BigInteger, bindparam, select

from shared.db import Database, Query
from shared.records import current_at
from teams.models import memberships_versions, teams_versions

TEAM_COLUMNS = ("slug", "name", "description", "parent", "external_id")
MEMBERSHIP_COLUMNS = ("team", "employee_id", "role", "since")
_PAGE = 500

_team = teams_versions.alias("team")
_parent = teams_versions.alias("parent")
_member = memberships_versions.alias("member")
_limit = bindparam("limit", type_=BigInteger())


def _then(versions: Any, id_: Any) -> Any:
    """The state of the record with this id at that instant."""
    return (versions.c.id == id_) & current_at(versions)


_TEAMS = Query(
    select(_team.c.slug, _team.c.name, _team.c.description, _parent.c.slug, _team.c.external_id, _team.c.id)
    .select_from(_team.outerjoin(_parent, _then(_parent, _team.c.parent_id)))
    .where(_team.c.id > bindparam("after"), current_at(_team))
    .order_by(_team.c.id)
    .limit(_limit)
)
_MEMBERSHIPS = Query(
    select(_team.c.slug, _member.c.employee_id, _member.c.role, _member.c.since, _member.c.id)
    .select_from(_member.join(_team, _then(_team, _member.c.team_id)))
    .where(_member.c.id > bindparam("after"), current_at(_member))
    .order_by(_member.c.id)
    .limit(_limit)
)


def all_teams(db: Database, seq: int) -> AsyncIterator[list[tuple[Any, ...]]]:
    """Rows of TEAM_COLUMNS, by id, as the teams were when the log stood at `seq`."""
    return _pages(db, _TEAMS, seq)


def all_memberships(db: Database, seq: int) -> AsyncIterator[list[tuple[Any, ...]]]:
    """Rows of MEMBERSHIP_COLUMNS, likewise."""
    return _pages(db, _MEMBERSHIPS, seq)


async def _pages(db: Database, query: Query, seq: int) -> AsyncIterator[list[tuple[Any, ...]]]:
    after = 0
    while rows := await db.all(query, after=after, seq=seq, limit=_PAGE):
        yield [row[:-1] for row in rows]
        after = rows[-1][-1]

"""Teams: reading one, and the units that write them. Units take a connection, commit nothing, and raise Problems."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from sqlalchemy import bindparam, delete, func, insert, select

from shared.changes import Author
from shared.db import Connection, Query, Reader
from shared.errors import FieldError, refuse
from shared.etags import Precondition
from shared.past import Timed
from shared.records import Record, Records
from teams.errors import HasSubteams, NoSuchTeam
from teams.models import FIELDS, MAX_DEPTH, computed, log, team_tokens, teams, teams_versions
from teams.store import members, tree

RECORDS = Records("team", teams, teams_versions, log, computed)

_BY_ID = Timed(lambda teams: select(*(teams.c[name] for name in FIELDS)).where(teams.c.id == bindparam("team_id")), tree.TEAMS)
_ID_OF_SLUG = Query(select(teams.c.id).where(teams.c.slug == bindparam("slug")))
_CHILDREN = Query(select(teams).where(teams.c.parent_id == bindparam("team_id")).order_by(teams.c.id))
_COUNT_CHILDREN = Query(select(func.count()).select_from(teams).where(teams.c.parent_id == bindparam("team_id")))
_ADD_TOKEN = Query(insert(team_tokens))
_END_TOKENS = Query(delete(team_tokens).where(team_tokens.c.team_id == bindparam("id_of_team")))


async def get(db: Reader, team_id: int) -> tuple[Any, ...]:
    """One team: the columns of FIELDS. Raises NoSuchTeam."""
    row = await db.one(_BY_ID, team_id=team_id)
    if row is None:
        raise NoSuchTeam(team_id)
    return row


def present(record: Mapping[str, Any]) -> dict[str, Any]:
    """A stored row as the document of its team."""
    return {name: record[name] for name in FIELDS}


def current(conn: Connection, team_id: int) -> Record:
    """The stored row of a team. Raises NoSuchTeam."""
    record = RECORDS.get(conn, team_id)
    if record is None:
        raise NoSuchTeam(team_id)
    return record


def create(conn: Connection, values: Mapping[str, Any], author: Author) -> Record:
    """A new team. Raises Conflict for a slug that is taken, Invalid for a parent that can't be."""
    check(conn, values, None)
    return add(conn, values, author)


def update(conn: Connection, team_id: int, values: Mapping[str, Any], condition: Precondition, author: Author) -> Record:
    """A team with some values new. Raises NoSuchTeam, PreconditionFailed, Conflict, Invalid."""
    before = current(conn, team_id)
    condition.check(before["version"])
    check(conn, values, before)
    return change(conn, before, values, author)


def remove(conn: Connection, team_id: int, subteams: Literal["reparent", "delete"] | None, condition: Precondition, author: Author) -> None:
    """Delete a team; its memberships end. Its subteams go to its parent, or are deleted with it.

    Raises NoSuchTeam, HasSubteams, PreconditionFailed.
    """
    before = current(conn, team_id)
    condition.check(before["version"])
    if subteams is None:
        (count,) = conn.one(_COUNT_CHILDREN, team_id=team_id) or (0,)
        if count:
            raise HasSubteams(count)
    if subteams == "reparent":
        for row in conn.all(_CHILDREN, team_id=team_id):
            RECORDS.change(conn, RECORDS.record(row), {"parent_id": before["parent_id"]}, author)
    for (id_,) in conn.all(tree.SUBTREE, team_id=team_id, levels=MAX_DEPTH):
        members.end_all_of_team(conn, id_, author)
        conn.run(_END_TOKENS, id_of_team=id_)
        RECORDS.remove(conn, current(conn, id_), author)


def check(conn: Connection, values: Mapping[str, Any], before: Record | None) -> None:
    """Refuse values that can't stand beside the other teams; `before` is the team that gets them, None for a new one."""
    taken, wrong = [], []
    was = before or {"id": None, "slug": None, "parent_id": None}
    slug, parent_id = values.get("slug", was["slug"]), values.get("parent_id", was["parent_id"])
    if slug != was["slug"] and conn.one(_ID_OF_SLUG, slug=slug) is not None:
        taken.append(FieldError("slug", f"there is a team {slug} already"))
    if (
        parent_id is not None
        and parent_id != was["parent_id"]
        and (fault := fault_of_parent(conn, parents_above(conn, [parent_id]), parent_id, was["id"]))
    ):
        wrong.append(FieldError("parent_id", fault))
    refuse(taken, wrong)


def parents_above(conn: Connection, team_ids: Iterable[int]) -> dict[int, int | None]:
    """The parent of each of these teams and of every team above them; what does not exist is not in it."""
    return dict(conn.all(tree.PARENTS, team_ids=sorted(team_ids)))


def fault_of_parent(conn: Connection, parents: Mapping[int, int | None], parent_id: int, team_id: int | None) -> str | None:
    """Why a team (None: a new one) can't be below this parent, or None when it can; `parents` holds the parent's line."""
    if parent_id == team_id:
        return "a team can't be its own parent"
    if parent_id not in parents:
        return f"there is no team {parent_id}"
    line = [parent_id]
    while (above := parents[line[-1]]) is not None and len(line) <= MAX_DEPTH:
        line.append(above)
    if team_id in line:
        return f"team {parent_id} is below this one: that would make a loop"
    height = 0
    if team_id is not None:
        (height,) = conn.one(tree.HEIGHT, team_id=team_id, levels=MAX_DEPTH) or (0,)
    if len(line) + 1 + height > MAX_DEPTH:
        return f"the tree would have more than {MAX_DEPTH} levels"
    return None


def add(conn: Connection, values: Mapping[str, Any], author: Author) -> Record:
    """Create a team whose values were checked."""
    record = RECORDS.add(conn, values, author)
    _index(conn, record)
    return record


def change(conn: Connection, before: Record, values: Mapping[str, Any], author: Author) -> Record:
    """Change a team whose new values were checked; `before` itself when nothing differs."""
    record = RECORDS.change(conn, before, values, author)
    if record["words"] != before["words"]:
        conn.run(_END_TOKENS, id_of_team=record["id"])
        _index(conn, record)
    return record


def _index(conn: Connection, record: Record) -> None:
    conn.run_many(_ADD_TOKEN, [{"token": word, "team_id": record["id"]} for word in record["words"].split()])

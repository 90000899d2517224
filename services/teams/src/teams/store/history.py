"""What has happened to a team and to its memberships."""

from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, Select, bindparam, select, union

from shared.history import History, HistoryEntity
from teams.models import log, memberships_versions, teams_versions


def _some(seq: ColumnElement[Any], *of_team: ColumnElement[bool]) -> Select[Any]:
    """As many places as a page has, the last ones."""
    places = select(seq.label("seq")).where(*of_team, seq < bindparam("before")).order_by(seq.desc())
    return select(places.limit(bindparam("limit", type_=BigInteger)).subquery().c.seq)


def _places() -> Select[Any]:
    changes, parts, team = log.changes.c, memberships_versions.c, bindparam("id", type_=BigInteger)
    found = union(
        _some(changes.seq, changes.entity == "team", changes.entity_id == team),
        _some(parts.seq_from, parts.team_id == team),
        _some(parts.seq_to, parts.team_id == team),  # what ended one state began the next, or the membership was deleted
    ).subquery("found")
    return select(found.c.seq).order_by(found.c.seq.desc()).limit(bindparam("limit", type_=BigInteger))


HISTORY: Final = History(
    log,
    {
        "team": HistoryEntity(teams_versions, ("slug", "name", "description", "parent_id", "external_id")),
        "membership": HistoryEntity(memberships_versions, ("role", "since"), always=("employee_id",)),
    },
    _places(),
)

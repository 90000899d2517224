"""Everything as it stood at one instant."""

from typing import Any, Final

from sqlalchemy import select

from shared.snapshots import Snapshot, current_at
from teams.models import memberships_versions, teams_versions

TEAM_COLUMNS: Final = ("slug", "name", "description", "parent", "external_id")
MEMBERSHIP_COLUMNS: Final = ("team", "employee_id", "role", "since")

_team = teams_versions.alias("team")
_parent = teams_versions.alias("parent")
_member = memberships_versions.alias("member")


def _then(versions: Any, id_: Any) -> Any:
    """The state of the record with this id at that instant."""
    return (versions.c.id == id_) & current_at(versions)


TEAMS: Final = Snapshot(
    select(_team.c.slug, _team.c.name, _team.c.description, _parent.c.slug, _team.c.external_id).select_from(
        _team.outerjoin(_parent, _then(_parent, _team.c.parent_id))
    ),
    _team,
)
"""Rows of TEAM_COLUMNS, by the teams' ids."""
MEMBERSHIPS: Final = Snapshot(
    select(_team.c.slug, _member.c.employee_id, _member.c.role, _member.c.since).select_from(
        _member.join(_team, _then(_team, _member.c.team_id))
    ),
    _member,
)
"""Rows of MEMBERSHIP_COLUMNS, by the memberships' ids."""

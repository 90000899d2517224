"""What goes in and out of teams: every field with its bounds.

A text is one line without control characters and without blanks at its ends; an optional one is null, never ''.
"""

import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

MAX_DEPTH = 1000
"""Levels of the tree: with it the paths and the recursions over the tree are bounded."""

MAX_PATHS = 5
"""Paths told for each effective member."""

_CONTROL = r"\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
_LINE = rf"^[^\s{_CONTROL}]([^{_CONTROL}]*[^\s{_CONTROL}])?(?!\n)$"
_SLUG = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(?!\n)$"

Id = Annotated[int, Meta(ge=1, le=2**63 - 1, description="Given by the service, never reused.")]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Slug = Annotated[str, Meta(min_length=1, max_length=64, pattern=_SLUG, description="Unique; lower-case ASCII letters, digits and dashes within.")]
Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=_LINE)]
Description = Annotated[str, Meta(min_length=1, max_length=1000, pattern=_LINE)]
ExternalId = Annotated[str, Meta(min_length=1, max_length=200, pattern=_LINE)]
Role = Literal["lead", "member"]
Date = datetime.date
DateText = Annotated[str, Meta(min_length=10, max_length=10, extra_json_schema={"format": "date"})]
Moment = Annotated[str, Meta(min_length=27, max_length=27, extra_json_schema={"format": "date-time"})]
Depth = Annotated[int, Meta(ge=1, le=MAX_DEPTH)]
Path = Annotated[list[Slug], Meta(min_length=1, max_length=MAX_DEPTH)]
Paths = Annotated[
    list[Path], Meta(min_length=1, max_length=MAX_PATHS, description="Shortest first, each from the team asked for to the one with the membership.")
]


class TeamBody(Struct, kw_only=True, forbid_unknown_fields=True):
    """A team as a client writes one: all that is left out is empty."""

    slug: Slug
    name: Name
    description: Description | None = None
    parent_id: Id | None = None
    external_id: ExternalId | None = None


class Team(Struct):
    """A team as the service gives one; the fields stand in the order of the table's columns."""

    id: Id
    slug: Slug
    name: Name
    description: Description | None
    parent_id: Id | None
    external_id: ExternalId | None
    version: Id
    created_at: Moment
    updated_at: Moment


FIELDS: tuple[str, ...] = Team.__struct_fields__
WRITABLE: tuple[str, ...] = TeamBody.__struct_fields__


class Subteam(Team):
    """A team below another; its depth counts from that one."""

    depth: Depth


def _absent(names: tuple[str, ...]) -> list[tuple[str, Any, Any]]:
    """Some fields of the body, each of which may be left out."""
    types = {field.name: field.type for field in msgspec.structs.fields(TeamBody)}
    return [(name, types[name] | UnsetType, UNSET) for name in names]


TeamPatch = msgspec.defstruct("TeamPatch", _absent(WRITABLE), kw_only=True, forbid_unknown_fields=True)
"""A merge patch (RFC 7396): what is absent stays, null clears."""


class TeamRow(Struct, kw_only=True, forbid_unknown_fields=True):
    """A row of an import of teams: its key, and what to change; the parent is a slug."""

    slug: Slug
    name: Name | UnsetType = UNSET
    description: Description | None | UnsetType = UNSET
    parent: Slug | None | UnsetType = UNSET
    external_id: ExternalId | None | UnsetType = UNSET


class MembershipRow(Struct, kw_only=True, forbid_unknown_fields=True):
    """A row of an import of memberships; `line` is its number in the file that the caller took it from."""

    team: Slug
    employee_id: Id
    role: Role | None | UnsetType = UNSET
    since: Date | None | UnsetType = UNSET
    line: Id | UnsetType = UNSET


class MemberBody(Struct, kw_only=True, forbid_unknown_fields=True):
    """Someone's part in a team. Without `since`: as it was, or today."""

    role: Role = "member"
    since: Date | None = None


class Membership(Struct):
    """That an employee is in a team; the fields stand in the order of the table's columns."""

    id: Id
    team_id: Id
    employee_id: Id
    role: Role
    since: DateText
    version: Id
    created_at: Moment
    updated_at: Moment


class EffectiveMember(Struct):
    """Someone in a team or below it. `role` is the one in the team itself, null for who is in teams below it only."""

    employee_id: Id
    role: Role | None
    paths: Paths


class EffectiveMembership(Struct):
    """A team that someone is in, directly or through a team below it; `role` is null without a membership in the team itself."""

    team_id: Id
    slug: Slug
    employee_id: Id
    role: Role | None
    paths: Paths

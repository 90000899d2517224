"""What goes in and out of teams: every field with its bounds.

A text is one line without control characters and without blanks at its ends; an optional one is null, never ''.
"""

import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from shared.history import HistoryEntry
from shared.timeline import AsOf
from teams.models import FIELDS, MAX_DEPTH, MAX_PATHS

_CONTROL = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
_LINE = rf"^[^\s{_CONTROL}]([^{_CONTROL}]*[^\s{_CONTROL}])?(?!\n)$"
_SLUG = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(?!\n)$"
_ONE_LINE = {"expected": "one line of text without blanks at its ends"}
_SLUG_WORDS = {"expected": "lower-case letters a-z, digits, and dashes between them"}

Id = Annotated[int, Meta(ge=1, le=2**63 - 1, description="Given by the service, never reused.")]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Slug = Annotated[str, Meta(min_length=1, max_length=64, pattern=_SLUG, extra=_SLUG_WORDS, description="Unique.")]
Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=_LINE, extra=_ONE_LINE)]
Description = Annotated[str, Meta(min_length=1, max_length=1000, pattern=_LINE, extra=_ONE_LINE)]
ExternalId = Annotated[str, Meta(min_length=1, max_length=200, pattern=_LINE, extra=_ONE_LINE)]
Role = Literal["lead", "member"]
Date = datetime.date
DateText = Annotated[str, Meta(min_length=10, max_length=10, extra_json_schema={"format": "date"})]
Moment = Annotated[str, Meta(min_length=27, max_length=27, extra_json_schema={"format": "date-time"})]
Depth = Annotated[int, Meta(ge=1, le=MAX_DEPTH)]
Path = Annotated[list[Slug], Meta(min_length=1, max_length=MAX_DEPTH)]
Paths = Annotated[
    list[Path],
    Meta(min_length=1, max_length=MAX_PATHS, description="Shortest first, each from the team asked for to the one with the membership."),
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


class Subteam(Team):
    """A team below another; its depth counts from that one."""

    depth: Depth


def _absent(names: tuple[str, ...]) -> list[tuple[str, Any, Any]]:
    """Some fields of the body, each of which may be left out."""
    types = {field.name: field.type for field in msgspec.structs.fields(TeamBody)}
    return [(name, types[name] | UnsetType, UNSET) for name in names]


TeamPatch = msgspec.defstruct("TeamPatch", _absent(TeamBody.__struct_fields__), kw_only=True, forbid_unknown_fields=True)
"""A merge patch (RFC 7396): what is absent stays, null clears."""


class TeamRow(Struct, kw_only=True, forbid_unknown_fields=True):
    """A row of an import of teams: its key, and what to change; the parent is a slug."""

    slug: Slug
    name: Name | UnsetType = UNSET
    description: Description | UnsetType | None = UNSET
    parent: Slug | UnsetType | None = UNSET
    external_id: ExternalId | UnsetType | None = UNSET


class MembershipRow(Struct, kw_only=True, forbid_unknown_fields=True):
    """A row of an import of memberships; `line` is its number in the file that the caller took it from."""

    team: Slug
    employee_id: Id
    role: Role | UnsetType | None = UNSET
    since: Date | UnsetType | None = UNSET
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


Next = Annotated[str, Meta(max_length=4000)] | None


class TeamPage(Struct):
    """A page of a list. With `fields`, the items have only those."""

    items: Annotated[list[Team], Meta(max_length=200)]
    next: Next
    total: Count | UnsetType = UNSET


class SubteamPage(Struct):
    """A page of the teams below a team."""

    items: Annotated[list[Subteam], Meta(max_length=200)]
    next: Next
    total: Count | UnsetType = UNSET


class MembershipPage(Struct):
    """A page of memberships."""

    items: Annotated[list[Membership], Meta(max_length=200)]
    next: Next
    total: Count | UnsetType = UNSET


class EffectiveMemberPage(Struct):
    """A page of who is in a team or below it."""

    items: Annotated[list[EffectiveMember], Meta(max_length=200)]
    next: Next
    total: Count | UnsetType = UNSET


class EffectiveMembershipPage(Struct):
    """A page of the teams that someone is in, directly or through those below them."""

    items: Annotated[list[EffectiveMembership], Meta(max_length=200)]
    next: Next
    total: Count | UnsetType = UNSET


Ascending = Literal["id", "slug", "name", "created_at", "updated_at"]
Descending = Literal["-id", "-slug", "-name", "-created_at", "-updated_at"]
SortName = Ascending | Descending
FieldName = Literal[FIELDS]  # type: ignore[valid-type]  # as many as there are fields
Fields = Annotated[list[FieldName], Meta(min_length=1, max_length=100, description="Only these fields of each team.")]
Ids = Annotated[list[Id], Meta(min_length=1, max_length=100)]


class TeamChange(HistoryEntry):
    """One change of a team or of a membership in it, which `employee_id` tells whose it is."""

    entity: Literal["team", "membership"]
    employee_id: Id | UnsetType | None = UNSET


class TeamHistoryPage(Struct):
    """A page of a team's history, the newest change first."""

    items: Annotated[list[TeamChange], Meta(max_length=200)]
    next: Next


class PageQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """Which page of a list."""

    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    cursor: Annotated[str, Meta(min_length=1, max_length=4000)] | None = None
    count: bool = False
    as_of: AsOf | None = None


class TeamsQuery(PageQuery, kw_only=True, forbid_unknown_fields=True):
    """Filters are joined by 'and'."""

    q: Annotated[str, Meta(max_length=200, description="Each word begins a word of the slug or the name.")] | None = None
    parent_id: Id | Literal["none"] | None = None
    slug: Annotated[list[Slug], Meta(min_length=1, max_length=100)] | None = None
    id: Ids | None = None
    sort: SortName = "id"
    fields: Fields | None = None


class TeamQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    fields: Fields | None = None
    as_of: AsOf | None = None


class MemberQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    as_of: AsOf | None = None


class DeleteQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    subteams: Annotated[Literal["reparent", "delete"], Meta(description="Subteams go to the team's parent, or are deleted too.")] | None = (
        None
    )


class SubteamsQuery(PageQuery, kw_only=True, forbid_unknown_fields=True):
    depth: Annotated[int, Meta(ge=1, le=MAX_DEPTH, description="How many levels down.")] = 1
    fields: Fields | None = None


class EffectiveQuery(PageQuery, kw_only=True, forbid_unknown_fields=True):
    include: Annotated[Literal["inactive"], Meta(description="List inactive people too.")] | None = None


class MembersQuery(EffectiveQuery, kw_only=True, forbid_unknown_fields=True):
    role: Role | None = None


class MembershipsQuery(MembersQuery, kw_only=True, forbid_unknown_fields=True):
    employee_id: Ids | None = None
    team_id: Ids | None = None
    effective: Annotated[bool, Meta(description="Every team that one employee is in, also through teams below it.")] = False

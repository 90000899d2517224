"""What only the OpenAPI document tells: rows of an export, events, problems with members of their own; and the examples."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from shared.feed import Event
from shared.openapi import Contract, ProblemDocument
from teams.examples import EXAMPLES
from teams.schemas import Count, DateText, Description, ExternalId, Id, Membership, Name, Role, Slug, Team


class TeamExport(Struct):
    """A row of an export of teams; the parent is a slug."""

    slug: Slug
    name: Name
    description: Description | None
    parent: Slug | None
    external_id: ExternalId | None


class MembershipExport(Struct):
    """A row of an export of memberships."""

    team: Slug
    employee_id: Id
    role: Role
    since: DateText


class HasSubteams(ProblemDocument, kw_only=True):
    """Why a team can't be deleted: how many are below it."""

    subteams: Count


_EVENTS = tuple(f"roster.{entity}.{kind}" for entity in ("team", "membership") for kind in ("created", "updated", "deleted"))


class TeamEvent(Event):
    """What happened to a team or a membership; `type` tells which, and what `data` is."""

    source: Literal["/teams"]
    type: Literal[_EVENTS]  # type: ignore[valid-type]  # as many as there are
    data: Annotated[
        dict[str, Any] | None,
        Meta(
            extra_json_schema={
                "anyOf": [{"$ref": "#/components/schemas/Team"}, {"$ref": "#/components/schemas/Membership"}, {"type": "null"}]
            }
        ),
    ]


Events = Annotated[list[TeamEvent], Meta(max_length=1000)]

CONTRACT = Contract(examples=EXAMPLES, structs=(Team, Membership))

"""What goes in and out of the merged feed."""

from typing import Annotated, Any, ClassVar, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from gateway.errors import FeedRestored
from gateway.feed.vector import PATTERN
from shared.feed import Event
from shared.openapi import ProblemDocument

Entity = Literal["employee", "team", "membership"]
Place = Annotated[str, Meta(min_length=3, max_length=200, pattern=PATTERN)]
Services = Annotated[list[Literal["employees", "teams"]], Meta(max_length=2)]
NOW: Final = "now"


class FeedQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where to read on, and what."""

    after: (
        Annotated[str, Meta(min_length=3, max_length=200, description="The `cursor` of the last event that was seen; `now`: what comes.")]
        | None
    ) = None
    entity: Annotated[list[Entity], Meta(min_length=1, max_length=3, description="Only what happened to these; all without it.")] | None = (
        None
    )
    wait: Annotated[int, Meta(ge=0, le=60, description="Seconds to wait for the next change when there is none yet.")] = 0
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


_KINDS = tuple(f"roster.{entity}.{kind}" for entity in ("employee", "team", "membership") for kind in ("created", "updated", "deleted"))
_RECORDS = [{"$ref": f"#/components/schemas/{name}"} for name in ("Employee", "Team", "Membership")]


class FeedEvent(Event, kw_only=True):
    """What happened to a record, as its owner tells it; `cursor` is the place in the merged feed after it."""

    source: Literal["/employees", "/teams"]
    type: Literal[_KINDS]  # type: ignore[valid-type]  # as many as there are
    data: Annotated[dict[str, Any] | None, Meta(extra_json_schema={"anyOf": [*_RECORDS, {"type": "null"}]})]
    cursor: Place


FeedEvents = Annotated[list[FeedEvent], Meta(max_length=1000)]


class Restored(ProblemDocument, kw_only=True):
    """Why a cursor is of no use any more: `services` were restored. Drop what you keep of them, and go on after `resume`."""

    kinds: ClassVar = (FeedRestored,)

    services: Services
    resume: Place


class Unreadable(ProblemDocument, kw_only=True):
    """Which services' feeds can't be read."""

    services: Services | UnsetType = UNSET

"""What an operation is: who may call it, what it takes, what it answers, how long it may take.

All of it is data on the view function, set by `@operation`; the service reads it when the app is made and refuses an app
with a route that has none, so nothing is open by oversight.
"""

import dataclasses
import enum
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, Final, TypedDict, TypeVar, Unpack, get_args

import msgspec

from shared.deprecation import notices
from shared.shedding import Kind

ROLES: Final = ("feed", "viewer", "editor", "admin")  # each may do what those before it may
JSON_TYPE: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"  # RFC 7396
View = TypeVar("View", bound=Callable[..., Any])


@dataclasses.dataclass(frozen=True, slots=True)
class Policy:
    """Who may call: everyone, or those whose role is `role` or above."""

    name: str
    role: str | None

    def allows(self, role: str) -> bool:
        return self.role is None or (role in ROLES and ROLES.index(role) >= ROLES.index(self.role))


PUBLIC: Final = Policy("public", None)
FEED: Final = Policy("feed", "feed")
READ: Final = Policy("read", "viewer")
WRITE: Final = Policy("write", "editor")
ADMIN: Final = Policy("admin", "admin")


class Limit(enum.Enum):
    """By what the requests of an operation are counted, where somebody in front of the services counts them (the gateway)."""

    CALLER = "caller"
    """By who asks."""
    PASSWORD = "password"  # noqa: S105 - a name
    """As tries to guess a password: by address, and by address and username."""
    NOTHING = "nothing"
    """Not at all: a probe that is refused takes a healthy process out of service."""


class Upload:
    """Stands as `body=Upload` for a streamed body; the view gets a `shared.bodies.UploadStream`."""


class Told(TypedDict, total=False):
    """What the document can't know from the rest.

    `form` is what an `Upload` or an export holds (a Struct: the body, or a row of the table); `variants` maps a query parameter to the
    Struct that is answered instead when it is given; `takes` and `gives` name headers of `shared.openapi.headers` that are read, and
    answered by status, besides those that follow from the rest; `credentials` are other ways to say who asks (security schemes).
    """

    form: Any
    variants: Mapping[str, Any]
    takes: Sequence[str]
    gives: Mapping[int, Sequence[str]]
    credentials: Sequence[str]


@dataclasses.dataclass(frozen=True, slots=True)
class Operation:
    """The data behind one view. `budget` is in seconds and replaces the service's own; `math.inf` is no limit."""

    name: str
    allow: Policy
    query: type[msgspec.Struct] | None
    body: Any
    body_types: tuple[str, ...]
    responses: Mapping[int, Any]
    response_types: tuple[str, ...]
    problems: Mapping[int, Any]
    budget: float | None
    limit: Limit
    waits: bool
    body_optional: bool
    notices: Mapping[str, str]
    told: Told

    @property
    def kind(self) -> Kind | None:
        """What it is to `shared.shedding` besides a read or a write: what waits is a feed, what has no end of its own a transfer."""
        return "feed" if self.waits else "transfer" if self.budget == math.inf else None


def operation(
    *,
    allow: Policy,
    query: type[msgspec.Struct] | None = None,
    body: Any = None,
    body_types: Sequence[str] = (),
    responses: Mapping[int, Any] | None = None,
    response_types: Sequence[str] = (JSON_TYPE,),
    problems: Sequence[int] | Mapping[int, Any] = (),
    budget: float | None = None,
    limit: Limit = Limit.CALLER,
    waits: bool = False,
    body_optional: bool = False,
    deprecated: date | None = None,
    sunset: date | None = None,
    **told: Unpack[Told],
) -> Callable[[View], View]:
    """Declare a view an operation; its name is the function's (endpoint and operationId).

    `query` and `body` are Structs that refuse unknown fields: the view gets them as keyword arguments `query` and `body`
    (a body may also be `Upload`; with `body_optional`, `body` is None for a request without any). `responses` maps a
    status to a Struct or None (no content); `response_types` other than JSON are for streams. One that `waits` (a long poll)
    is ended with a 503 when the service stops. `problems` are the statuses it may answer besides those that follow from the rest, or
    map them to a Struct that derives from `shared.openapi.ProblemDocument` where the problem has members of its own.
    One that is `deprecated` since a day says so in its answers and in the document, and from which day on it may be gone (`sunset`).
    `told` is for the document alone.
    """
    for part in (query, *(get_args(body) or (body,))):
        _demand_strict(part)

    def declare(view: View) -> View:
        view.operation = Operation(  # type: ignore[attr-defined]  # data on the function: no wrapper, no cost per request
            name=view.__name__,
            allow=allow,
            query=query,
            body=body,
            body_types=tuple(body_types) or ((JSON_TYPE,) if body is not None else ()),
            responses=dict(responses or {}),
            response_types=tuple(response_types),
            problems=dict(problems) if isinstance(problems, Mapping) else dict.fromkeys(problems),
            budget=budget,
            limit=limit,
            waits=waits,
            body_optional=body_optional,
            notices=notices(deprecated, sunset),
            told=told,
        )
        return view

    return declare


def operation_of(view: Any) -> Operation | None:
    found = getattr(view, "operation", None)
    return found if isinstance(found, Operation) else None


def _demand_strict(kind: Any) -> None:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and not kind.__struct_config__.forbid_unknown_fields:
        raise TypeError(f"{kind.__name__} must be declared with forbid_unknown_fields=True")

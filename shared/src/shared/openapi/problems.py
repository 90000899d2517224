"""Problems in a document: one schema, and one response for each status."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final

import msgspec
from msgspec import Meta, UnsetType

from shared.errors import BY_STATUS, LONGEST, MOST_ERRORS, TYPE_PREFIX, FieldError, Problem, phrase
from shared.openapi.headers import Described, response_headers

PROBLEM_TYPES: Final = ("application/problem+json", "application/problem+yaml")
Text = Annotated[str, Meta(min_length=1, max_length=LONGEST)]
Status = Annotated[int, Meta(ge=400, le=599)]


class ProblemDocument(msgspec.Struct, kw_only=True):
    """An error (RFC 9457). `code`, `description` and `message` say the same again, for simple clients."""

    kinds: ClassVar[tuple[type[Problem], ...]] = ()
    """The problems that have the members of a subclass, where these are not those of its status everywhere."""

    type: Annotated[str, Meta(min_length=1, max_length=200, pattern="^urn:roster:problem:[a-z-]+$")]
    title: Annotated[str, Meta(min_length=1, max_length=100)]
    status: Status
    detail: Text
    instance: Annotated[str, Meta(max_length=LONGEST)] | UnsetType = msgspec.UNSET
    code: Status
    description: Text
    message: Annotated[str, Meta(min_length=1, max_length=LONGEST + 200)]
    request_id: Annotated[str, Meta(min_length=1, max_length=128)]
    errors: Annotated[list[FieldError], Meta(min_length=1, max_length=MOST_ERRORS)] | UnsetType = msgspec.UNSET


MEANINGS: Final[Mapping[int, str]] = {
    400: "The request can't be read: broken JSON, an unknown or doubled parameter, a bad cursor or header.",
    401: "It is not known who asks.",
    403: "The caller may not do this.",
    404: "There is no such thing.",
    405: "The path has other methods.",
    406: "None of the types in Accept is there.",
    408: "The body came too slowly.",
    409: "What is stored stands against it.",
    410: "The cursor is from before a backup was restored; read from the beginning.",
    412: "Somebody else changed the record since.",
    413: "The body is too large.",
    415: "The body is of a type that is not taken here.",
    422: "Readable, and wrong.",
    429: "Too many requests.",
    500: "A fault of ours; the request id finds it in the log.",
    502: "A service gave the gateway a broken answer.",
    503: "It can't be done at the moment; try again.",
    504: "The time for this request is spent; a write may or may not have happened.",
}
HEADERS: Final[Mapping[int, str]] = {401: "WWW-Authenticate", 405: "Allow", 415: "Accept", 429: "Retry-After", 503: "Retry-After"}
"""What the problem of a status always carries."""
AS_OF: Final = ("X-As-Of", "X-As-Of-Stable")
"""What a 404 carries that is about an instant."""


def problem_response(
    status: int,
    schema: Described,
    *,
    kinds: Sequence[type[Problem]] = (),
    headers: Mapping[str, Any] | None = None,
) -> Described:
    """A problem as a response: one of `kinds`; without any, shared's own of this status.

    `schema` is its document's; `headers` are those besides the usual, as for `response_headers`.
    """
    fixed = {
        "status": {"const": status},
        "code": {"const": status},
        "title": {"const": phrase(status)},
        "type": {"enum": sorted({TYPE_PREFIX + kind.slug for kind in kinds or (BY_STATUS[status],)})},
    }
    known: dict[str, Described | None] = {"X-Request-ID": None, "Vary": None}
    if status in HEADERS:
        known[HEADERS[status]] = None
    if status == 404:
        known |= {name: {} for name in AS_OF}
    whole = {"allOf": [schema, {"type": "object", "properties": fixed}]}
    return {
        "description": MEANINGS[status],
        "headers": response_headers(known | dict(headers or {})),
        "content": {media_type: {"schema": whole} for media_type in PROBLEM_TYPES},
    }


def response_name(status: int) -> str:
    """A component's name: `NotFound` for 404."""
    return BY_STATUS[status].__name__


def reference(status: int) -> Described:
    return {"$ref": f"#/components/responses/{response_name(status)}"}

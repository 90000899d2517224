"""The errors a caller may see, each one a problem document (RFC 9457).

Problem
├── what the caller must change
│   ├── BadRequest 400            the request can't be read
│   ├── Unauthorized 401          nobody, or nobody we know, asks
│   ├── Forbidden 403             the caller may not do this
│   ├── NotFound 404
│   ├── MethodNotAllowed 405      with Allow
│   ├── NotAcceptable 406
│   ├── RequestTimedOut 408       the body came too slowly
│   ├── Conflict 409              what is stored stands against it
│   ├── Gone 410                  a cursor of another epoch
│   ├── PreconditionFailed 412    a stale If-Match
│   ├── TooLarge 413
│   ├── UnsupportedMedia 415
│   ├── Invalid 422               readable, and wrong: see `errors`
│   └── TooManyRequests 429
└── what the caller may try again, or must report
    ├── InternalError 500         says nothing but the request id
    ├── BadGateway 502            another service gave a broken answer
    ├── Overloaded 503            with Retry-After
    └── UpstreamTimeout 504       the time for this request is spent

Any of them is raised with a detail for people; `errors` names the fields that are wrong.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

NEW_PHRASES = {413: "Content Too Large", 416: "Range Not Satisfiable", 422: "Unprocessable Content"}  # RFC 9110; Python has them from 3.13
TYPE_PREFIX = "urn:roster:problem:"
LONGEST = 4000
"""Characters of a text in a problem document; a longer one is cut."""
MOST_ERRORS = 100
UNEXPECTED = "something went wrong here; the request id finds it in the log"


def phrase(status: int) -> str:
    """What a status is called, the same on every Python."""
    return NEW_PHRASES.get(status) or HTTPStatus(status).phrase


class FieldError(msgspec.Struct, frozen=True):
    """One wrong field: its path with dots (`manager_id`, `items.3.name`), empty for the whole document."""

    field: Annotated[str, Meta(max_length=200)]
    message: Annotated[str, Meta(min_length=1, max_length=1000)]


class Problem(Exception):
    """An answer that is an error. `members` become extension members of the document."""

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal-error"

    def __init__(
        self,
        detail: str | None = None,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        self.detail = detail or HTTPStatus(self.status).description or self.title
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.members = members
        super().__init__(self.detail)

    @classmethod
    def of(cls, field: str, message: str) -> "Problem":
        """The same problem about one field."""
        return cls(f"{field}: {message}" if field else message, errors=[FieldError(field, message)])

    @property
    def title(self) -> str:
        return phrase(self.status)

    @property
    def type(self) -> str:
        return TYPE_PREFIX + self.slug

    def document(self, request_id: str | None, instance: str | None) -> dict[str, Any]:
        """The members of RFC 9457, then code, description and message (the same for simple clients), then our own."""
        detail = self.detail[:LONGEST]
        document: dict[str, Any] = {"type": self.type, "title": self.title, "status": self.status, "detail": detail}
        if instance is not None and len(instance) <= LONGEST:
            document["instance"] = instance
        document |= {"code": self.status, "description": detail, "message": f"{self.status} {self.title}: {detail}"}
        if request_id is not None:
            document["request_id"] = request_id
        if self.errors:
            errors = self.errors[:MOST_ERRORS]
            document["errors"] = [{"field": error.field[:200], "message": error.message[:1000]} for error in errors]
        return document | self.members


class BadRequest(Problem):
    status, slug = 400, "bad-request"


class Unauthorized(Problem):
    status, slug = 401, "unauthorized"


class Forbidden(Problem):
    status, slug = 403, "forbidden"


class NotFound(Problem):
    status, slug = 404, "not-found"


class MethodNotAllowed(Problem):
    status, slug = 405, "method-not-allowed"


class NotAcceptable(Problem):
    status, slug = 406, "not-acceptable"


class RequestTimedOut(Problem):
    status, slug = 408, "request-timed-out"


class Conflict(Problem):
    status, slug = 409, "conflict"


class Gone(Problem):
    status, slug = 410, "gone"


class PreconditionFailed(Problem):
    status, slug = 412, "precondition-failed"


class TooLarge(Problem):
    status, slug = 413, "too-large"


class UnsupportedMedia(Problem):
    status, slug = 415, "unsupported-media-type"


class Invalid(Problem):
    status, slug = 422, "invalid"


class TooManyRequests(Problem):
    status, slug = 429, "too-many-requests"


class InternalError(Problem):
    status, slug = 500, "internal-error"


class BadGateway(Problem):
    status, slug = 502, "bad-gateway"


class Overloaded(Problem):
    """Raised with `retry_after` in seconds."""

    status, slug = 503, "overloaded"

    def __init__(self, detail: str | None = None, *, retry_after: int = 1, **rest: Any) -> None:
        super().__init__(detail, **rest)
        self.headers.setdefault("Retry-After", str(retry_after))


class UpstreamTimeout(Problem):
    status, slug = 504, "timeout"


class OtherProblem(Problem):
    """A status that has no class of its own (a framework's 416, 417, 501 ...): raised by nobody, made from a framework's error."""

    def __init__(self, status: int, detail: str | None = None, **rest: Any) -> None:
        self.status = status  # type: ignore[misc]  # the one class whose status belongs to the instance
        self.slug = phrase(status).lower().replace(" ", "-").replace("'", "")  # type: ignore[misc]  # as above
        super().__init__(detail, **rest)


BY_STATUS: dict[int, type[Problem]] = {kind.status: kind for kind in Problem.__subclasses__() if kind is not OtherProblem}


def problem_of_status(status: int, detail: str | None = None, **rest: Any) -> Problem:
    """The problem of a status code, for errors that come from a framework or from another service."""
    kind = BY_STATUS.get(status)
    return OtherProblem(status, detail, **rest) if kind is None else kind(detail, **rest)


def refuse(taken: Sequence[FieldError], wrong: Sequence[FieldError]) -> None:
    """Raise for values that others have already (409) or that are wrong (422, listing both); nothing when there are none."""
    detail = "; ".join(f"{error.field}: {error.message}" for error in [*wrong, *taken])
    if wrong:
        raise Invalid(detail, errors=[*wrong, *taken])
    if taken:
        raise Conflict(detail, errors=taken)

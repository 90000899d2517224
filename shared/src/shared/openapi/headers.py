"""The headers that operations read and answer, each described once.

A response header that is not always there has `x-given`, all of whose conditions hold when it is:
`media` (the answer's media type is one of these), `with` and `without` (one, none of these query parameters is given), `member` (the
answer's document has this member, and it is not null), `request` (a request header, and what its value contains). `{}` is: now and then.
"""

from typing import Any, Final

Described = dict[str, Any]
SOMETIMES: Final = "-Sometimes"
RECORD: Final[Described] = {"media": ["application/json"], "without": ["fields", "expand", "as_of"]}
AS_OF: Final[Described] = {"with": ["as_of"]}
_TAG: Final = r'^"[0-9]{1,19}"$'
_TAGS: Final = r'^(\*|((W/)?"[!#-~]*")([ \t]*,[ \t]*(W/)?"[!#-~]*")*)$'


def _text(pattern: str | None = None, *, longest: int, example: str, words: str, shortest: int = 1) -> Described:
    schema: Described = {"type": "string", "minLength": shortest, "maxLength": longest}
    return {"description": words, "schema": schema | ({"pattern": pattern} if pattern else {}), "example": example}


RESPONSE: Final[dict[str, Described]] = {
    "X-Request-ID": _text(
        "^[A-Za-z0-9._~:+/=-]+$", longest=128, example="0f28fbe15a35cdf45ce996ce293a9d60", words="Finds this request in the logs."
    ),
    "Vary": _text(longest=200, example="Accept", words="What else the answer depends on: JSON or YAML."),
    "ETag": _text(_TAG, longest=21, example='"3"', words="The record's version in quotes; of the plain JSON record only."),
    "X-As-Of": _text(
        longest=27, shortest=27, example="2026-11-22T07:49:09.123456Z", words="The time for which the answer is true, in UTC."
    ),
    "X-As-Of-Stable": _text(
        longest=27,
        shortest=27,
        example="2026-11-22T07:49:09.123456Z",
        words="Up to when all is settled: an answer for a time up to this one will always be the same.",
    ),
    "Location": _text("^/[!-~]*$", longest=200, example="/v1/…/7", words="Where the new record is."),
    "Redirect": _text("^(/|https?:)[!-~]*$", longest=4096, example="/", words="Where to go on."),
    "Link": _text('^<[^<>]*>; rel="next"$', longest=70_000, example='</v1/…?cursor=…>; rel="next"', words="The next page (RFC 8288)."),
    "Retry-After": {
        "description": "Seconds after which another try makes sense.",
        "schema": {"type": "integer", "minimum": 0, "maximum": 99_999},
        "example": 1,
    },
    "RateLimit": _text(
        '^"[a-z-]+";r=[0-9]+;t=[0-9]+$',
        longest=100,
        example='"caller";r=29999;t=60',
        words="How many requests are left (r), and the seconds until all are there again (t) (draft-ietf-httpapi-ratelimit-headers-10).",
    ),
    "RateLimit-Policy": _text(
        '^"[a-z-]+";q=[0-9]+;w=[0-9]+$',
        longest=100,
        example='"caller";q=30000;w=60',
        words="How many requests (q) are allowed in how many seconds (w).",
    ),
    "WWW-Authenticate": _text(longest=500, example="Bearer", words="How to say who asks."),
    "Accept": _text(longest=200, example="application/json", words="The media types that a body may have here."),
    "Allow": _text("^[A-Z]+(, [A-Z]+)*$", longest=100, example="GET, HEAD, OPTIONS, PUT", words="The methods of this path."),
    "Idempotency-Replayed": {
        "description": "That this is the stored answer to an earlier request with the same Idempotency-Key.",
        "schema": {"type": "string", "const": "true"},
        "example": "true",
    },
    "Content-Disposition": _text(longest=200, example='attachment; filename="table.csv"', words="A name for the file."),
    "Preference-Applied": _text(longest=100, example="handling=strict", words="The preference that was followed (RFC 7240)."),
    "X-Gateway-Complete": {
        "description": "Whether all parts of the answer are there; `_parts` says what is missing.",
        "schema": {"type": "string", "enum": ["true", "false"]},
        "example": "true",
    },
    "Deprecation": _text("^@[0-9]{1,12}$", longest=13, example="@1788220800", words="Since when this is deprecated (RFC 9745)."),
    "Sunset": _text(longest=29, shortest=29, example="Mon, 01 Mar 2027 00:00:00 GMT", words="When this may be gone (RFC 8594)."),
    "Set-Cookie": _text(
        longest=4096, example="…; Secure; HttpOnly; Path=/; SameSite=Lax", words="The session, or a log-in under way: begun or ended."
    ),
}

CALLED: Final = {"Redirect": "Location"}
"""Headers that are described in more than one way, by what they are called in an answer."""

REQUEST: Final[dict[str, Described]] = {
    "If-Match": _text(
        _TAGS, longest=4096, example='"3"', words="Only if the record is still at this version: its ETag, or * for any. Otherwise 412."
    ),
    "If-None-Match": _text(_TAGS, longest=4096, example='"3"', words="304 without a body if the record is still at this version."),
    "Idempotency-Key": _text(
        "^[!-~]([ -~]*[!-~])?$",
        longest=255,
        example="2f0c9a6e-add-someone",
        words="A key of your choice: the same request with the same key is answered from what was stored, for 24 hours.",
    ),
    "Prefer": _text(
        "^[!-~]([ -~]*[!-~])?$",
        longest=200,
        example="handling=strict",
        words="With handling=strict, an error instead of an answer with parts missing (RFC 7240).",
    ),
    "Last-Event-ID": _text(
        longest=200, example="42b7f747d40157af.12~-", words="The id of the last event that a stream gave: it goes on after it."
    ),
    "X-Request-Timeout-Ms": {
        "description": "How many milliseconds the caller will wait; what is not done by then is given up and answered with 504.",
        "schema": {"type": "integer", "minimum": 0, "maximum": 999_999_999},
        "example": 2000,
    },
}


def response_headers(names: dict[str, Described | None]) -> Described:
    """Headers of a response: name to None for one that is always there, or to its `x-given`."""
    return {
        CALLED.get(name, name): _reference(name, given) if not given else RESPONSE[name] | {"required": False, "x-given": given}
        for name, given in names.items()
    }


def _reference(name: str, given: Described | None) -> Described:
    return {"$ref": f"#/components/headers/{name}{'' if given is None else SOMETIMES}"}


def header_components() -> Described:
    """The response headers as components: those that are always there, and those that come now and then."""
    always = {name: {**described, "required": True} for name, described in RESPONSE.items()}
    return always | {name + SOMETIMES: {**described, "required": False, "x-given": {}} for name, described in RESPONSE.items()}


def parameter_components() -> Described:
    """The request headers as components."""
    return {name: {"name": name, "in": "header", "required": False, **described} for name, described in REQUEST.items()}


def parameter(name: str) -> Described:
    return {"$ref": f"#/components/parameters/{name}"}

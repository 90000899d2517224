"""Entity tags and conditions (RFC 9110, sections 8.8.3 and 13): a record's tag is its version in quotes."""

import re
from typing import Final

from quart import Response, request

from shared.errors import BadRequest, FieldError, PreconditionFailed
from shared.media import JSON, wanted_form

TAG: Final = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
SEPARATOR: Final = re.compile(r"[ \t]*(?:,[ \t,]*|$)")  # empty list elements are ignored (RFC 9110, 5.6.1)
MAX_HEADER: Final = 4096


def etag(version: int) -> str:
    return f'"{version}"'


class Precondition:
    """What If-Match asked for; checked inside the unit of work, where the current version is known."""

    __slots__ = ("_given", "_tags")

    def __init__(self, tags: frozenset[str] | None, *, given: bool = False) -> None:
        self._tags = tags
        self._given = given or tags is not None

    def check(self, version: int) -> None:
        """Raise PreconditionFailed when the caller saw another version. Weak tags never match (strong comparison)."""
        if self._tags is not None and etag(version) not in self._tags:
            raise PreconditionFailed(f"the record is at version {version} now", headers={"ETag": etag(version)})

    def check_absent(self) -> None:
        """Raise PreconditionFailed when there was an If-Match at all, `*` included: no record is there to match (RFC 9110, 13.1.1)."""
        if self._given:
            raise PreconditionFailed("there is no such record yet")


def if_match() -> Precondition:
    """The condition of this request; one that always holds when there is no If-Match or it is `*`. BadRequest when it is malformed."""
    tags = _tags("If-Match")
    if tags is None or "*" in tags:
        return Precondition(None, given=tags is not None)
    return Precondition(frozenset(tag for tag in tags if not tag.startswith("W/")))


def not_modified(version: int) -> Response | None:
    """304 when If-None-Match knows this version already (weak comparison), else None: always for YAML, which has no tag to know."""
    if "If-None-Match" not in request.headers:
        return None
    tags = _tags("If-None-Match")
    if tags is None or wanted_form() != JSON or not ("*" in tags or etag(version) in {tag.removeprefix("W/") for tag in tags}):
        return None
    response = Response(b"", 304, headers={"ETag": etag(version), "Vary": "Accept"})
    for name in ("Content-Type", "Content-Length"):
        response.headers.pop(name, None)
    return response


def check_conditions() -> None:
    """For answers that have no tag: If-None-Match matters to them no more, and is still to be well formed (BadRequest)."""
    _tags("If-None-Match")


def _tags(header: str) -> list[str] | None:
    lines = request.headers.getlist(header)
    if not lines:
        return None
    text = ", ".join(lines).strip(" \t")
    if text == "*":
        return ["*"]
    tags = _list(text) if len(text) <= MAX_HEADER else []
    if not tags:
        raise BadRequest(f'{header} must be * or a list of tags such as "7"', errors=[FieldError(header, "malformed")])
    return tags


def _list(text: str) -> list[str]:
    """The tags of a list, none when any part of it is no tag."""
    tags: list[str] = []
    at = 0
    text = text.lstrip(", \t")
    while at < len(text):
        tag = TAG.match(text, at)
        after = SEPARATOR.match(text, tag.end()) if tag else None
        if tag is None or after is None:
            return []
        tags.append(tag[0])
        at = after.end()
    return tags

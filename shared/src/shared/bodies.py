"""Request bodies, read strictly: every fault is a 400, 413, 415 or 422 that names what is wrong.

A body is at most `MAX_CONTENT_LENGTH` bytes, strict UTF-8, JSON without NaN, Infinity, duplicate keys, NUL characters or lone
surrogates, at most 32 levels deep, of a content type that the operation takes, with fields that its Struct knows.
"""

import json
import math
from collections.abc import AsyncIterator, Sequence
from functools import lru_cache
from typing import Any, Final, cast

import msgspec
from quart import Request

from shared.errors import BadRequest, Invalid, TooLarge, UnsupportedMedia
from shared.exchange import exchange_of
from shared.faults import field_errors
from shared.media import JSON, content_type
from shared.pulled import PulledBody

MAX_DEPTH: Final = 32
UTF8: Final = frozenset({"utf-8", "utf8", "us-ascii"})


class Body(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What bodies derive from: fields by name, unknown ones refused. Absent fields of a merge patch are `msgspec.UNSET`."""


class StrictRequest(Request):
    """A request whose JSON is read by the rules above, also by those who call `get_json` themselves."""

    body_class = PulledBody  # type: ignore[assignment]  # the same uses, another way of filling it

    @property
    def content_length(self) -> int | None:
        """The announced length; None when there is none, or no number (the server has refused what is no HTTP)."""
        length = exchange_of(cast("Any", self.scope)).headers.get(b"content-length")
        return int(length) if length is not None and length.isdigit() else None

    @property
    def blueprints(self) -> list[str]:
        """As Quart's, which works it out three times a request."""
        return [] if self.url_rule is None else _blueprints(self.url_rule.endpoint)

    async def get_data(self, cache: bool = True, as_text: bool = False, parse_form_data: bool = False) -> Any:
        """The whole body. No time limit here: the request's deadline covers it, and Quart's costs a task."""
        data = await self.body
        if not cache:
            self.body.clear()
        return data.decode() if as_text else data

    async def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:
        """The body as plain values. Raises BadRequest or UnsupportedMedia; with `silent`, None instead."""
        try:
            if not force:
                check_content_type(self.headers.get("Content-Type"), (JSON, self.mimetype if self.is_json else JSON))
            return parse_json(await self.get_data(cache=cache))
        except (BadRequest, UnsupportedMedia):
            if silent:
                return None
            raise


class UploadStream:
    """A streamed body: iterate over its chunks once; nothing is read before they are asked for.

    Raises TooLarge once more than `limit` bytes have come.
    """

    def __init__(self, media_type: str, chunks: AsyncIterator[bytes], limit: int) -> None:
        self.media_type = media_type
        self._chunks = chunks
        self._limit = limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._chunks:
            size += len(chunk)
            if size > self._limit:
                raise TooLarge(f"more than {self._limit} bytes")
            yield chunk


@lru_cache(maxsize=1024)
def _blueprints(endpoint: str) -> list[str]:
    parents = endpoint.split(".")[:-1]
    return [".".join(parents[:length]) for length in range(len(parents), 0, -1)]


def check_content_type(header: str | None, accepted: Sequence[str]) -> str:
    """The media type of a body, one of `accepted`; otherwise UnsupportedMedia with `Accept` naming them."""
    media_type, charset = content_type(header or "")
    if media_type in accepted and charset in UTF8:
        return media_type
    wanted = ", ".join(accepted)
    raise UnsupportedMedia(f"the body must be {wanted} in UTF-8, not {(header or 'unnamed')[:100]}", headers={"Accept": wanted})


def check_coding(header: str | None, accepted: Sequence[str]) -> None:
    """Raise UnsupportedMedia for a compressed body (RFC 9110, 8.4): read as if it were not, it would be nonsense, or a bomb."""
    if header is not None and header.strip().lower() != "identity":
        raise UnsupportedMedia("the body must come without a Content-Encoding", headers={"Accept": ", ".join(accepted)})


def parse_json(data: bytes) -> Any:
    """JSON text to plain values. Raises BadRequest; numbers keep their size (bounds are the schema's)."""
    try:
        text = data.decode()
        value = _decoder.decode(text)
    except UnicodeDecodeError as error:
        raise BadRequest("the body is not valid UTF-8") from error
    except RecursionError as error:
        raise BadRequest(f"the body is nested more than {MAX_DEPTH} levels deep") from error
    except json.JSONDecodeError as error:
        raise BadRequest(f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from error
    except ValueError as error:
        raise BadRequest(f"the body is not taken: {error}") from error
    if text.count("{") + text.count("[") > MAX_DEPTH or "\\u" in text:
        _check_inside(value)
    return value


def parse_body(kind: Any, data: bytes) -> Any:
    """A body as `kind`. Raises BadRequest when it is not JSON, Invalid listing every field that is wrong."""
    if not data.strip():
        raise BadRequest("the body is empty; it must be JSON")
    return convert_body(kind, parse_json(data))


def convert_body(kind: Any, value: Any) -> Any:
    """Plain values as `kind`, Invalid otherwise."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        errors = field_errors(value, kind, error)
        detail = "; ".join(f"{fault.field}: {fault.message}" if fault.field else fault.message for fault in errors[:5])
        raise Invalid(detail, errors=errors) from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)[:100]!r} is given more than once")
    return found


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _whole(text: str) -> int:
    if len(text) > 400:  # int() is quadratic, and refuses 4,300 digits with words of its own
        raise ValueError("a number is too large")
    return int(text)


_decoder = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite, parse_int=_whole)


def _check_inside(value: Any) -> None:
    """Depth, NUL and surrogates: looked at only when the text's length in braces or an escape makes them possible."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below += item
                below += item.values()
            elif isinstance(item, list):
                below += item
            elif isinstance(item, str):
                _check_text(item)
        if not below:
            return
        level = below
    if any(isinstance(item, dict | list) for item in level):
        raise BadRequest(f"the body is nested more than {MAX_DEPTH} levels deep")
    for item in level:
        if isinstance(item, str):
            _check_text(item)


def _check_text(text: str) -> None:
    if "\0" in text:
        raise BadRequest("the body has a NUL character in a text")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadRequest("the body has a lone surrogate in a text") from error

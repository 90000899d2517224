"""The bytes of a request head. Whoever calls chooses the fields; their framing is written here and nowhere else."""

import re
from collections.abc import AsyncIterable, Iterable

Headers = Iterable[tuple[bytes, bytes]]
Body = bytes | AsyncIterable[bytes] | None

_TARGET = re.compile(rb"/[\x21-\x22\x24-\x7e]*")
_METHODS = frozenset((b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"))
_EXPECTS_BODY = frozenset((b"POST", b"PUT", b"PATCH"))  # without one they say so (RFC 9110, section 8.6)
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,100}")
# Fields that speak of the connection, or that the pool writes.
REFUSED = frozenset(
    (
        b"connection",
        b"content-length",
        b"expect",
        b"host",
        b"http2-settings",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
_known_names: set[bytes] = set()


def encode_head(method: bytes, target: bytes, host: bytes, headers: Headers, body: Body, length: int | None) -> bytes:
    """The head, and the body where it is bytes. ValueError for what could be read as more than one head, or belongs to the pool.

    `host` is the whole Host line without its end; `length` that of a streamed body, None for one in chunks.
    """
    if method not in _METHODS:
        raise ValueError(f"not a method to send: {method!r}")
    if _TARGET.fullmatch(target) is None:
        raise ValueError(f"not a target to send: {target!r}")
    fields = list(headers)
    for name, _ in fields:
        if name not in _known_names:
            _learn(name)
    lines = [b"%b %b HTTP/1.1" % (method, target), host, *map(b": ".join, fields)]
    if body is not None:
        lines.append(_framing(body, length))
    elif method in _EXPECTS_BODY:
        lines.append(b"content-length: 0")
    head = b"\r\n".join((*lines, b"", b""))
    if head.count(b"\n") != len(lines) + 1 or head.count(b"\r") != len(lines) + 1 or b"\0" in head:
        raise ValueError("a line break or NUL in a header")
    return head + body if isinstance(body, bytes) else head


def _framing(body: Body, length: int | None) -> bytes:
    """The line that says where the body ends."""
    if isinstance(body, bytes):
        return b"content-length: %d" % len(body)
    return b"transfer-encoding: chunked" if length is None else b"content-length: %d" % length


def _learn(name: bytes) -> None:
    """Check a field's name once; remembered, up to a bound."""
    if _NAME.fullmatch(name) is None or name.lower() in REFUSED:
        raise ValueError(f"not a header to send: {name!r}")
    if len(_known_names) < 1000:
        _known_names.add(name)

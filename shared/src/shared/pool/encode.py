"""The bytes of a request head. Whoever calls chooses the fields; their framing is written here and nowhere else."""

import re
from collections.abc import Iterable

Headers = Iterable[tuple[bytes, bytes]]

_TARGET = re.compile(rb"/[\x21-\x22\x24-\x7e]*")
_METHOD = re.compile(rb"[A-Z]{1,20}")
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


def encode_head(method: bytes, target: bytes, host: bytes, headers: Headers, framing: bytes) -> bytes:
    """The head up to its blank line. ValueError for what could be read as more than one head, or belongs to the pool.

    `host` is the whole Host line and `framing` the whole line that frames the body, or b"".
    """
    if _METHOD.fullmatch(method) is None or method == b"CONNECT":
        raise ValueError(f"not a method to send: {method!r}")
    if _TARGET.fullmatch(target) is None:
        raise ValueError(f"not a target to send: {target!r}")
    parts = [method, b" ", target, b" HTTP/1.1\r\n", host, framing]
    count = 0
    for name, value in headers:
        if name not in _known_names:
            _learn(name)
        parts += (name, b": ", value, b"\r\n")
        count += 1
    parts.append(b"\r\n")
    head = b"".join(parts)
    count += 3 if framing else 2
    count += 1 if host else 0
    lines = head.count(b"\n")
    if lines != count or head.count(b"\r") != count or b"\0" in head:
        raise ValueError("a line break or NUL in a header")
    return head


def framing_for(method: bytes, body: object, length: int | None) -> bytes:
    """The line that frames the body: none without one, unless the method is expected to have one (RFC 9110, section 8.6)."""
    if body is None:
        return b"content-length: 0\r\n" if method in (b"POST", b"PUT", b"PATCH") else b""
    if length is None:
        return b"transfer-encoding: chunked\r\n"
    return b"content-length: %d\r\n" % length


def _learn(name: bytes) -> None:
    """Check a field's name once; remembered, up to a bound."""
    if _NAME.fullmatch(name) is None or name.lower() in REFUSED:
        raise ValueError(f"not a header to send: {name!r}")
    if len(_known_names) < 1000:
        _known_names.add(name)

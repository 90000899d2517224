"""What a request must look like before anyone reads it: one reading of its path, one length, one host.

A path that two parsers could read differently (dot segments, encoded slashes, backslashes, control bytes) is refused, never repaired:
behind the gateway every hop must see the same path that the policy was decided on.
"""

import re
from collections.abc import Mapping
from typing import Final

from shared.errors import BadRequest

_ODD_PATH: Final = re.compile(
    rb"[^!$&-;=@-\[\]_a-z~]|(?:^|/)\.{1,2}(?:/|$)|//|\\"  # anything but unescaped, printable ASCII; dot segments; empty segments
)
_BAD_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})|%(?:2[eEfF]|5[cC]|[01][0-9A-Fa-f]|7[fF])")
_BAD_QUERY: Final = re.compile(rb"[^!-~]")
_SINGLE: Final = frozenset(
    {b"host", b"content-length", b"content-type", b"transfer-encoding", b"authorization", b"origin", b"sec-fetch-site", b"cookie"}
)


def check_path(raw_path: bytes) -> None:
    """Refuse (400) a path that is not one plain reading of itself."""
    odd = _ODD_PATH.search(raw_path)
    if odd is None:
        return
    if odd.group() != b"%" or _BAD_ESCAPE.search(raw_path) or _ODD_PATH.search(raw_path.replace(b"%", b"")):
        raise BadRequest("The path has dot segments, empty segments, or bytes that a path may not have, written out or escaped.")


def check_query(query: bytes) -> None:
    """Refuse (400) control bytes, spaces and anything but ASCII in a query."""
    if _BAD_QUERY.search(query):
        raise BadRequest("The query has bytes that a query may not have.")


def check_headers(headers: list[tuple[bytes, bytes]], read: Mapping[bytes, bytes]) -> None:
    """Refuse (400) what could be framed or read in two ways: doubled headers of one value, a length beside an encoding.

    `read` has the last of each header: as long as both have the same size no name is doubled.
    """
    if len(read) != len(headers):
        seen: set[bytes] = set()
        for name, _ in headers:
            if name in seen and name in _SINGLE:
                raise BadRequest(f"The header {name.decode('latin-1')} is given more than once.")
            seen.add(name)
    coding = read.get(b"transfer-encoding")
    if coding is not None:
        if b"content-length" in read:
            raise BadRequest("Content-Length and Transfer-Encoding exclude each other.")
        if coding.lower() != b"chunked":
            raise BadRequest("Transfer-Encoding can only be chunked.")

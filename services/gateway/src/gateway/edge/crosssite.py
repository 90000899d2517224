"""Requests that another site's page makes in a visitor's browser are refused (the rule of Go's `http.CrossOriginProtection`).

It needs no token in forms: every current browser sends `Sec-Fetch-Site`, older ones send `Origin`, programs send neither.
"""

from collections.abc import Collection, Mapping
from typing import Final

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def same_site(method: str, headers: Mapping[bytes, bytes], ours: Collection[bytes]) -> bool:
    """Whether the request may go on. `ours` are further origins (scheme://host[:port]) that count as this site."""
    if method in SAFE_METHODS:
        return True
    origin = headers.get(b"origin")
    site = headers.get(b"sec-fetch-site")
    if site is not None:
        return site in (b"same-origin", b"none") or (origin is not None and origin in ours)
    if origin is None:
        return True
    _, scheme_end, host = origin.partition(b"://")
    return origin in ours or (scheme_end != b"" and host.lower() == headers.get(b"host", b"").lower() != b"")

"""Pages of other origins that may read answers here (the CORS protocol of the Fetch standard): those of `GATEWAY_ORIGINS`, and no others.

An origin is compared byte for byte with the list and never taken from the request, so that `null`, another port, another case and
a longer name are others. Nothing needs `Vary: Origin`: no answer may be kept by a cache.
"""

from collections.abc import Collection, Mapping
from typing import Final

RawHeaders = list[tuple[bytes, bytes]]

ASKED: Final = b", ".join(
    (
        b"Accept",
        b"Authorization",
        b"Content-Type",
        b"Idempotency-Key",
        b"If-Match",
        b"If-None-Match",
        b"Last-Event-ID",
        b"Prefer",
        b"traceparent",
        b"X-Request-ID",
        b"X-Request-Timeout-Ms",
    )
)
TOLD: Final = b", ".join(
    (
        b"Accept",
        b"Content-Disposition",
        b"ETag",
        b"Idempotency-Replayed",
        b"Link",
        b"Location",
        b"Preference-Applied",
        b"RateLimit",
        b"RateLimit-Policy",
        b"Retry-After",
        b"WWW-Authenticate",
        b"X-As-Of",
        b"X-As-Of-Stable",
        b"X-Gateway-Complete",
        b"X-Request-ID",
    )
)
KEPT: Final = b"600"
"""Seconds for which a browser need not ask again."""


def readable(headers: Mapping[bytes, bytes], ours: Collection[bytes]) -> RawHeaders:
    """What an answer says to the page of an origin that is listed; nothing to any other."""
    origin = headers.get(b"origin")
    if origin is None or origin not in ours:
        return []
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-expose-headers", TOLD),
    ]


def preflight(headers: Mapping[bytes, bytes], ours: Collection[bytes], methods: bytes) -> RawHeaders:
    """What the answer to OPTIONS says besides, when a listed origin asks what it may do; `methods` as in `Allow`."""
    if headers.get(b"origin") not in ours or b"access-control-request-method" not in headers:
        return []
    return [
        (b"access-control-allow-methods", methods),
        (b"access-control-allow-headers", ASKED),
        (b"access-control-max-age", KEPT),
    ]

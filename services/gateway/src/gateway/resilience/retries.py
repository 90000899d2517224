"""Which requests are sent a second time, and how many may be, so that a service in trouble is not asked more than it was.

Two gates stand before a second try: no more of them at a time than a fifth of what is under way (three always), and a bucket of tokens that
failures empty and successes fill (gRPC A6). An upstream that fails every call sees hardly more than its clients' requests.
"""

import random
from typing import Final

SAFE: Final = frozenset((b"GET", b"HEAD"))
"""Methods that may be repeated whatever became of the first try (RFC 9110, section 9.2.1). A PUT with If-Match would come back as a 412."""
SHARE: Final = 0.2
LEAST: Final = 3
TOKENS: Final = 10.0
GAIN: Final = 0.1
STOP: Final = TOKENS / 2
STEP: Final = 0.025
CAP: Final = 0.25

AGAIN: Final = frozenset((502, 503, 504))
AGAIN_WHEN_TOLD: Final = frozenset((429, *AGAIN))
"""Statuses that are tried again after their Retry-After, if it fits."""


def repeatable(method: bytes, headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether a request may be sent again though the first one may have had its effect."""
    return method in SAFE or (method == b"POST" and any(name == b"idempotency-key" for name, _ in headers))


def backoff(tries: int) -> float:
    """Seconds before the next try after so many: full jitter, so that those who failed together don't come back together."""
    return random.uniform(0, min(CAP, STEP * (2**tries - 1)))  # noqa: S311 - spreads attempts, keeps no secret


class RetryBudget:
    """One service's. `under_way` and `made` count second tries."""

    __slots__ = ("made", "refused", "tokens", "under_way")

    def __init__(self) -> None:
        self.tokens = TOKENS
        self.under_way = 0
        self.made = 0
        self.refused = 0

    def allows(self, active: int) -> bool:
        """Whether one more second try may be made now, with so many requests under way."""
        return self.tokens > STOP and self.under_way < max(LEAST, SHARE * active)

    def succeeded(self) -> None:
        """A try ended well."""
        if self.tokens < TOKENS:
            self.tokens = min(TOKENS, self.tokens + GAIN)

    def failed(self) -> None:
        """A try failed in a way that could be tried again."""
        self.tokens = max(0.0, self.tokens - 1)

"""Why a request was not sent, though there is a service to send it to.

PoolError
└── Refused          nothing was sent; `retry_after` in whole seconds
    ├── BreakerOpen  the service has failed too often
    └── Full         as many requests are under way to the service as may be
"""

from shared.pool import PoolError


class Refused(PoolError):
    """The gateway's own decision: it says nothing about the service."""

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class BreakerOpen(Refused):
    """The breaker is open, or its one probe is under way."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("the breaker is open", max(1, retry_after))


class Full(Refused):
    """No place came free in time."""

    def __init__(self) -> None:
        super().__init__("too many requests are under way")

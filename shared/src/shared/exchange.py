"""What is known of one request while it runs: one record in the ASGI scope, made by the edge, filled in on the way."""

import re
import secrets
import time
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any

SCOPE_KEY = "exchange"
NAME = re.compile(r"[A-Za-z0-9._~:+/=-]{1,128}", re.ASCII)
TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})", re.ASCII)


class Exchange:
    """One request and its answer.

    `started` and `deadline` are seconds of the event loop's clock; `deadline` is when this service gives up, None for never.
    `asked` is the time in seconds that the caller granted, None when it said nothing. `operation` is the name of the
    matched operation, empty before routing and for unknown paths. `subject` is who asks, for the log.
    """

    __slots__ = (
        "asked",
        "deadline",
        "operation",
        "request_id",
        "sent",
        "span_id",
        "started",
        "status",
        "subject",
        "trace_flags",
        "trace_id",
    )

    def __init__(self, request_id: str | None = None, traceparent: str | None = None, started: float | None = None) -> None:
        valid = request_id is not None and NAME.fullmatch(request_id)
        self.request_id: str = request_id if valid and request_id else secrets.token_hex(16)
        match = TRACEPARENT.fullmatch(traceparent) if traceparent else None
        self.trace_id, self.trace_flags = match.groups() if match else (secrets.token_hex(16), "00")
        self.span_id = secrets.token_hex(8)
        self.started = time.monotonic() if started is None else started
        self.deadline: float | None = None
        self.asked: float | None = None
        self.operation = ""
        self.subject = ""
        self.status = 0
        self.sent = 0

    @property
    def traceparent(self) -> str:
        """To pass on to whom we call (W3C Trace Context)."""
        return f"00-{self.trace_id}-{self.span_id}-{self.trace_flags}"

    def left(self, now: float) -> float | None:
        """Seconds that are left at `now` (loop time), None when there is no limit."""
        return None if self.deadline is None else self.deadline - now


current: ContextVar[Exchange | None] = ContextVar("exchange", default=None)


def exchange_of(scope: MutableMapping[str, Any]) -> Exchange:
    """The record of this request; made here when no edge stands in front (a bare test)."""
    found = scope.get(SCOPE_KEY)
    if not isinstance(found, Exchange):
        found = scope[SCOPE_KEY] = Exchange()
    return found

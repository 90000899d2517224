"""What is known of one request while it runs: one record in the ASGI scope, made by the edge, filled in on the way."""

import random
import re
import time
from collections.abc import Callable, Mapping, MutableMapping
from contextvars import ContextVar
from typing import Any

SCOPE_KEY = "exchange"
CLIENT_GONE = 499
"""What the log says of a request whose client left before its answer."""
NAME = re.compile(r"[A-Za-z0-9._~:+/=-]{1,128}", re.ASCII)
TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})", re.ASCII)
NO_HEADERS: Mapping[bytes, bytes] = {}
_bits = random.Random().getrandbits  # noqa: S311  # ids that must differ, not be secret; 20 times as fast as the system's


def never() -> bool:
    return False


def _nothing() -> None:
    """Nothing is to be done."""


class Exchange:
    """One request and its answer.

    `headers` are the request's by lower-case name, the last of each.
    `started` and `deadline` are seconds of `time.monotonic()`; `deadline` is when this service gives up, None for never.
    `asked` is the time in seconds that the caller granted, None when it said nothing. `operation` is the name of the
    matched operation, empty before routing and for unknown paths. `subject` is who asks, for the log. `interrupt` is asked
    from time to time whether this request should end because the service stops (a long poll). `at_end` is called once it has ended,
    whatever became of it.
    """

    __slots__ = (
        "asked",
        "at_end",
        "deadline",
        "headers",
        "interrupt",
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

    def __init__(self, headers: Mapping[bytes, bytes] = NO_HEADERS) -> None:
        self.started = time.monotonic()
        self.headers = headers
        made = f"{_bits(320):080x}"
        self.request_id, self.trace_id, self.span_id, self.trace_flags = made[:32], made[32:64], made[64:], "00"
        request_id = headers.get(b"x-request-id")
        if request_id is not None and NAME.fullmatch(told := request_id.decode("latin-1")):
            self.request_id = told
        trace = headers.get(b"traceparent")
        if trace is not None and (match := TRACEPARENT.fullmatch(trace.decode("latin-1"))):
            self.trace_id, self.trace_flags = match.groups()
        self.deadline: float | None = None
        self.asked: float | None = None
        self.interrupt: Callable[[], bool] = never
        self.at_end: Callable[[], None] = _nothing
        self.operation = ""
        self.subject = ""
        self.status = 0
        self.sent = 0

    @property
    def traceparent(self) -> str:
        """To pass on to whom we call (W3C Trace Context)."""
        return f"00-{self.trace_id}-{self.span_id}-{self.trace_flags}"

    def left(self, now: float) -> float | None:
        """Seconds that are left at `now` (of the same clock), None when there is no limit."""
        return None if self.deadline is None else self.deadline - now


current: ContextVar[Exchange | None] = ContextVar("exchange", default=None)


def exchange_of(scope: MutableMapping[str, Any]) -> Exchange:
    """The record of this request; made here when no edge stands in front (a bare test)."""
    found = scope.get(SCOPE_KEY)
    if not isinstance(found, Exchange):
        found = scope[SCOPE_KEY] = Exchange(dict(scope["headers"]))
    return found

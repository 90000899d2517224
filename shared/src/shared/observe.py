"""What a service tells about itself: JSON logs by structlog, and Prometheus figures."""

import asyncio
import contextlib
import json
import logging
import sys
from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final, TextIO

import msgspec
import structlog
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from shared.exchange import Exchange, current

BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
LONGEST_PATH: Final = 2000
TOGETHER: Final = 0.02
"""Seconds within which lines of the access log are written together."""

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}
METRICS_TYPE: Final = CONTENT_TYPE_LATEST


def logger(service: str, level: str = "info", stream: TextIO | None = None) -> Any:
    """A structlog logger that writes one JSON object a line to `stream` (standard error when None), with the request's id and trace.

    It configures nothing global, so several services may live in one process (tests).
    """
    return structlog.wrap_logger(
        structlog.WriteLogger(_Lossy(stream or sys.stderr)),  # type: ignore[arg-type]  # all that it uses of a file
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _add_request,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=_serialize),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        cache_logger_on_first_use=True,
    ).bind(service=service)


def route_standard_logging(log: Any, level: str) -> None:
    """Send what libraries write with `logging` (uvicorn, alembic) to `log` as well; warnings and above, whatever the level."""
    handler = _ToStructlog(log)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(logging.WARNING, LEVELS[level]))


class _Lossy:
    """A stream that loses what can't be written: a full disk below the log must not end requests."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()


class AccessLog:
    """One line a request, of the same shape as the logger's, made by msgspec alone: structlog takes ten times as long.

    Lines are kept for TOGETHER, and then written at once; `close` writes what is left, and from then on nothing is kept.
    """

    def __init__(self, service: str, stream: TextIO | None = None) -> None:
        self._service = service
        self._stream = _Lossy(stream or sys.stderr)
        self._lines: list[_AccessLine] = []
        self._together = TOGETHER

    def write(self, scope: Any, exchange: Exchange, seconds: float) -> None:
        client = scope.get("client")
        line = _AccessLine(
            self._service,
            scope["method"],
            _path(scope),
            exchange.operation,
            exchange.status,
            exchange.sent,
            round(seconds * 1000, 3),
            exchange.subject,
            client[0] if client else None,
            datetime.now(UTC),
            exchange.request_id,
            exchange.trace_id,
        )
        if not self._lines:
            asyncio.get_running_loop().call_later(self._together, self.flush)
        self._lines.append(line)

    def flush(self) -> None:
        """Write what is kept."""
        lines, self._lines = self._lines, []
        if lines:
            self._stream.write(_encode_lines(lines).decode())
            self._stream.flush()

    async def close(self) -> None:
        """The service ends: requests that outlast it are written as they end."""
        self._together = 0.0
        self.flush()


def _path(scope: Any) -> str:
    """As it was sent, where the server tells: escaped, so that it has no line breaks and no surrogates."""
    raw = scope.get("raw_path")
    path: bytes = scope["path"].encode("utf-8", "backslashreplace") if raw is None else raw
    return path[:LONGEST_PATH].decode("utf-8", "backslashreplace")


class _AccessLine(msgspec.Struct, gc=False):
    service: str
    method: str
    path: str
    operation: str
    status: int
    bytes: int
    ms: float
    subject: str
    client: str | None
    timestamp: datetime
    request_id: str
    trace_id: str
    event: str = "request"
    level: str = "info"


_encode_lines = msgspec.json.Encoder().encode_lines


class Metrics:
    """Requests counted and timed by operation, method and status: plain integers here, Prometheus' form only when asked for."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.in_flight = 0
        self._requests: dict[tuple[str, str, int], int] = {}
        self._times: dict[str, list[float]] = {}  # one count a bound, one beyond, then the sum
        for kind in (ProcessCollector, PlatformCollector, GCCollector):
            kind(registry=self.registry)
        self.registry.register(self)

    def observe(self, operation: str, method: str, status: int, seconds: float) -> None:
        """Count an answer. Methods that nobody knows are one."""
        key = (operation, method if method in METHODS else "other", status)
        self._requests[key] = self._requests.get(key, 0) + 1
        times = self._times.get(operation)
        if times is None:
            times = self._times[operation] = [0.0] * (len(BOUNDS) + 2)
        times[bisect_left(BOUNDS, seconds)] += 1
        times[-1] += seconds

    def collect(self) -> Iterator[Metric]:
        """What prometheus_client calls on a scrape."""
        requests = CounterMetricFamily("http_requests", "Requests answered.", labels=("operation", "method", "status"))
        for (operation, method, status), count in self._requests.items():
            requests.add_metric((operation, method, str(status)), count)
        yield requests
        seconds = HistogramMetricFamily("http_request_duration_seconds", "From the first byte to the last.", labels=("operation",))
        for operation, times in self._times.items():
            seconds.add_metric((operation,), list(_buckets(times)), times[-1])
        yield seconds
        flight = Metric("http_requests_in_flight", "Requests that are being answered.", "gauge")
        flight.add_sample("http_requests_in_flight", {}, self.in_flight)
        yield flight
        tasks = Metric("asyncio_tasks", "Tasks of the event loop.", "gauge")
        tasks.add_sample("asyncio_tasks", {}, len(_tasks()))
        yield tasks

    def text(self) -> bytes:
        return generate_latest(self.registry)


def _tasks() -> set["asyncio.Task[Any]"]:
    try:
        return asyncio.all_tasks()
    except RuntimeError:  # no loop runs: whoever asks, it is no scrape
        return set()


def _buckets(times: list[float]) -> Iterator[tuple[str, float]]:
    total = 0.0
    for bound, count in zip((*map(str, BOUNDS), "+Inf"), times, strict=False):
        total += count
        yield bound, total


def _add_request(log: Any, name: str, event: Any) -> Any:
    exchange = current.get()
    if exchange is not None:
        event.setdefault("request_id", exchange.request_id)
        event.setdefault("trace_id", exchange.trace_id)
    return event


def _serialize(event: Any, **options: Any) -> str:
    try:
        return msgspec.json.encode(event, enc_hook=repr).decode()
    except UnicodeEncodeError:  # surrogates, from a caller
        return json.dumps(event, default=repr)


class _ToStructlog(logging.Handler):
    def __init__(self, log: Any) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        kind = "error" if record.levelno >= logging.ERROR else "warning" if record.levelno >= logging.WARNING else "info"
        getattr(self._log, kind)(record.getMessage(), logger=record.name, exc_info=record.exc_info)

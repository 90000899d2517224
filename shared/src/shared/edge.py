"""The outermost ASGI layer of every service: request id, trace, deadline, access log, metrics, response headers."""

import ipaddress
import time
from typing import Any, Final

from shared.errors import BadRequest, FieldError, Forbidden, UpstreamTimeout
from shared.exchange import SCOPE_KEY, Exchange, current
from shared.observe import Metrics
from shared.problems import send_problem

LEAST: Final = 0.005  # seconds: with less left, an answer would come too late
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Edge:
    """Stands in front of any ASGI app. Leaves an Exchange in `scope["exchange"]`, and writes one log line a request when `log` is given.

    `timeout` in seconds is what a request may take when its caller grants no time (X-Request-Timeout-Ms, a duration).
    With `loopback_only`, requests that did not arrive on a loopback address are refused.
    """

    def __init__(
        self, app: Any, *, metrics: Metrics | None = None, log: Any = None, timeout: float = 10.0, loopback_only: bool = False
    ) -> None:
        self.app = app
        self._metrics = metrics or Metrics()
        self._log = log
        self._timeout = timeout
        self._loopback_only = loopback_only

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        exchange = scope[SCOPE_KEY] = Exchange(_text(headers.get(b"x-request-id")), _text(headers.get(b"traceparent")))
        token = current.set(exchange)
        self._metrics.in_flight += 1
        try:
            await self._serve(scope, receive, _Sender(send, exchange), exchange, headers.get(b"x-request-timeout-ms"))
        finally:
            self._metrics.in_flight -= 1
            self._finish(scope, exchange)
            current.reset(token)

    async def _serve(self, scope: Any, receive: Any, send: Any, exchange: Exchange, granted: bytes | None) -> None:
        if self._loopback_only and not arrived_on_loopback(scope):
            await send_problem(Forbidden("this service is open, so it answers on loopback addresses only"), scope, send)
            return
        if granted is None:
            exchange.deadline = exchange.started + self._timeout
        elif not granted.isdigit() or len(granted) > 9:
            fault = FieldError("X-Request-Timeout-Ms", "must be a whole number of milliseconds")
            await send_problem(BadRequest(f"{fault.field}: {fault.message}", errors=[fault]), scope, send)
            return
        else:
            exchange.asked = int(granted) / 1000
            exchange.deadline = exchange.started + min(exchange.asked, self._timeout)
            if exchange.asked < LEAST:
                await send_problem(UpstreamTimeout("no time was left when the request arrived"), scope, send)
                return
        await self.app(scope, receive, send)

    def _finish(self, scope: Any, exchange: Exchange) -> None:
        seconds = time.monotonic() - exchange.started
        method = scope["method"] if scope["method"] in METHODS else "other"
        self._metrics.observe(exchange.operation, method, exchange.status, seconds)
        if self._log is not None:
            client = scope.get("client")
            self._log.info(
                "request",
                method=scope["method"],
                path=scope["path"],
                operation=exchange.operation,
                status=exchange.status,
                bytes=exchange.sent,
                ms=round(seconds * 1000, 3),
                subject=exchange.subject,
                client=client[0] if client else None,
            )


class _Sender:
    """Adds the headers of every answer, and takes down what was sent."""

    __slots__ = ("_exchange", "_send")

    def __init__(self, send: Any, exchange: Exchange) -> None:
        self._send = send
        self._exchange = exchange

    def __call__(self, message: Any) -> Any:
        if message["type"] == "http.response.start":
            self._exchange.status = message["status"]
            message["headers"] = [
                *message["headers"],
                (b"x-request-id", self._exchange.request_id.encode()),
                (b"x-content-type-options", b"nosniff"),
            ]
        elif message["type"] == "http.response.body":
            self._exchange.sent += len(message.get("body", b""))
        return self._send(message)


def arrived_on_loopback(scope: Any) -> bool:
    """Whether the address that took the connection is a loopback one, a Unix socket, or none at all (a call within the process)."""
    server = scope.get("server")
    if server is None:
        return scope.get("client") is None
    host, port = server
    if port is None:
        return True
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")

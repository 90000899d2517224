"""The outermost ASGI layer of every service: request id, trace, deadline, access log, metrics, response headers."""

import ipaddress
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from shared.errors import UNEXPECTED, BadRequest, FieldError, Forbidden, InternalError, Problem, UpstreamTimeout
from shared.exchange import SCOPE_KEY, Exchange, current, never
from shared.observe import AccessLog, Metrics, logger
from shared.problems import send_problem
from shared.shedding import Kind, Limiter

LEAST: Final = 0.005  # seconds: with less left, an answer would come too late
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Edge:
    """Stands in front of any ASGI app. Leaves an Exchange in `scope["exchange"]`, writes one line a request to `access_log`.

    A Problem that the app raises is answered; anything else is logged and answered with a 500.
    `timeout` in seconds is what a request may take when its caller grants no time (X-Request-Timeout-Ms, a duration).
    With `loopback_only`, requests that did not arrive on a loopback address, or ask for a host of another name, are refused.
    While the service is `stopping`, each answer says `Connection: close`. A `limiter` refuses before anything is read, by the kind of the
    request: what `kinds` says of its path, otherwise a read or a write.
    """

    def __init__(
        self,
        app: Any,
        *,
        metrics: Metrics | None = None,
        log: Any = None,
        access_log: AccessLog | None = None,
        timeout: float = 10.0,
        loopback_only: bool = False,
        stopping: Callable[[], bool] = never,
        limiter: Limiter | None = None,
        kinds: Mapping[str, Kind] | None = None,
    ) -> None:
        self.app = app
        self._metrics = metrics or Metrics()
        self._log = log or logger("edge")
        self._access_log = access_log
        self._timeout = timeout
        self._loopback_only = loopback_only
        self._stopping = stopping
        self._limiter = limiter
        self._kinds = kinds or {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or SCOPE_KEY in scope:  # an edge further out has seen it
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        exchange = scope[SCOPE_KEY] = Exchange(headers)
        token = current.set(exchange)
        self._metrics.in_flight += 1
        sender = _Sender(send, exchange, self._stopping)
        try:
            if self._limiter is not None:
                sender.place = self._take_on(self._limiter, scope, exchange)
            await self._serve(scope, receive, sender, exchange, headers.get(b"x-request-timeout-ms"))
        except Problem as problem:
            await self._answer(problem, scope, sender)
        except Exception as error:
            self._log.error("unexpected error", path=scope["path"], method=scope["method"], exc_info=error)
            await self._answer(InternalError(UNEXPECTED), scope, sender)
        finally:
            self._metrics.in_flight -= 1
            exchange.at_end()
            sender.finish()
            self._finish(scope, exchange)
            current.reset(token)

    def _take_on(self, limiter: Limiter, scope: Any, exchange: Exchange) -> Callable[[], None]:
        """What gives the place back that this request has taken. Raises Shed."""
        kind: Kind = self._kinds.get(scope["path"]) or ("read" if scope["method"] in SAFE else "write")
        limiter.admit(kind)
        return lambda: limiter.leave(kind, time.monotonic() - exchange.started if exchange.status < 400 else None)

    async def _answer(self, problem: Problem, scope: Any, send: Any) -> None:
        """What went wrong in front of Quart; an answer that has begun is left broken, so that its reader knows."""
        if scope[SCOPE_KEY].status:
            raise problem
        await send_problem(problem, scope, send)

    async def _serve(self, scope: Any, receive: Any, send: Any, exchange: Exchange, granted: bytes | None) -> None:
        if self._loopback_only and not (arrived_on_loopback(scope) and asked_of_loopback(exchange.headers.get(b"host"))):
            await send_problem(Forbidden("this service is open, so it answers on loopback addresses, under their names, only"), scope, send)
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
        self._metrics.observe(exchange.operation, scope["method"], exchange.status, seconds)
        if self._access_log is not None:
            self._access_log.write(scope, exchange, seconds)


class _Sender:
    """Adds the headers of every answer, and takes down what was sent."""

    __slots__ = ("_exchange", "_send", "_stopping", "place")

    def __init__(self, send: Any, exchange: Exchange, stopping: Callable[[], bool]) -> None:
        self._send = send
        self._exchange = exchange
        self._stopping = stopping
        self.place: Callable[[], None] | None = None

    def __call__(self, message: Any) -> Any:
        if message["type"] == "http.response.start":
            self._exchange.status = message["status"]
            message["headers"] = [
                *message["headers"],
                (b"x-request-id", self._exchange.request_id.encode()),
                (b"x-content-type-options", b"nosniff"),
            ]
            if self._stopping():
                message["headers"].append((b"connection", b"close"))
        elif message["type"] == "http.response.body":
            self._exchange.sent += len(message.get("body", b""))
            if not message.get("more_body", False):
                self.finish()
        return self._send(message)

    def finish(self) -> None:
        """Give the place back before the client knows, who may ask again at once; the second time is nothing."""
        place, self.place = self.place, None
        if place is not None:
            place()


def arrived_on_loopback(scope: Any) -> bool:
    """Whether the address that took the connection is a loopback one, a Unix socket, or none at all (a call within the process)."""
    server = scope.get("server")
    if server is None:
        return scope.get("client") is None
    host, port = server
    return port is None or _is_loopback(host)


def asked_of_loopback(host: bytes | None) -> bool:
    """Whether a Host header names this machine itself. A page of another site can't: its name may resolve to a loopback address
    (DNS rebinding), but the browser still says the name. Programs may leave the header out."""
    if host is None:
        return True
    name, colon, port = host.decode("latin-1").lower().rpartition(":")
    if not colon or not port.isdecimal():
        name = host.decode("latin-1").lower()
    return _is_loopback(name.removeprefix("[").removesuffix("]"))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

"""How a request runs under ASGI: one task, bodies only as fast as they are read, an end when the caller is gone or its time is up.

Quart starts two tasks for every request and reads a body as fast as it comes. Here the handler runs in the server's own task. A
request that takes longer than `WATCH_AFTER` gets a watcher: one task that waits for the disconnect and for the deadline, and
cancels the handler; also one whose client moves no byte for as long as the app has patience. Quick requests never pay for it.
"""

import asyncio
import time
from functools import lru_cache
from typing import Any, Final, cast

from quart import Response
from quart.asgi import ASGIHTTPConnection
from quart.utils import encode_headers
from werkzeug.datastructures import Headers

from shared.client import Client
from shared.errors import Overloaded, RequestTimedOut, UpstreamTimeout
from shared.exchange import CLIENT_GONE, Exchange, exchange_of
from shared.problems import send_problem
from shared.pulled import Disconnected, PulledBody

NOBODY: Final = ("<local>",)
WATCH_AFTER: Final = 0.1  # seconds; longer than a durable write waits for its group
BODYLESS: Final = frozenset({"GET", "HEAD", "DELETE", "OPTIONS", "TRACE"})


class Watch:
    """Cancels the handler's task when its client disconnects or moves no byte for `patience` seconds, its time is up or the service stops;
    the flags tell which.
    """

    __slots__ = ("_body", "_client", "_exchange", "_loop", "_patience", "_task", "_timer", "_watcher", "ended", "expired", "interrupted")

    def __init__(self, client: Client, body: PulledBody, exchange: Exchange, patience: float) -> None:
        self._client = client
        self._body = body
        self._exchange = exchange
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._watcher: asyncio.Task[None] | None = None
        self.ended = self.expired = self.interrupted = False
        left = exchange.left(time.monotonic())
        self._timer = self._loop.call_later(WATCH_AFTER if left is None else min(WATCH_AFTER, left), self._look)

    def _look(self) -> None:
        now = time.monotonic()
        left = self._exchange.left(now)
        if self._exchange.interrupt():
            self.interrupted = True
            self._end()
            return
        if (left is not None and left <= 0) or self._client.idle(now) > self._patience:
            self.expired = True
            self._end()
            return
        if self._watcher is None and self._body.complete:
            self._watcher = self._loop.create_task(self._await_disconnect())
        again = WATCH_AFTER if self._watcher is None else 1.0  # a deadline may be set anew while the request runs
        self._timer = self._loop.call_later(again if left is None else min(again, left), self._look)

    async def _await_disconnect(self) -> None:
        if await self._client.disconnected():
            self._end()

    def _end(self) -> None:
        self.ended = True
        if self._task is not None:
            self._task.cancel()

    async def close(self) -> None:
        """Leave no timer and no task behind."""
        self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.wait([self._watcher])


class Connection(ASGIHTTPConnection):
    """Quart's `asgi_http_class`."""

    _started = False

    async def __call__(self, receive: Any, send: Any) -> None:
        request: Any = self._create_request_from_scope(send)
        exchange = exchange_of(cast("Any", self.scope))
        client = Client(receive, send)
        if _may_have_body(self.scope):
            request.body.attach(client.receive)
        watch = Watch(client, request.body, exchange, cast("Any", self.app).patience)
        try:
            await self.handle_request(request, client.send)
        except Disconnected:
            exchange.status = exchange.status or CLIENT_GONE
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not watch.ended or (task is not None and task.uncancel() > 0):
                raise
            if not self._started:
                await self._explain(watch, request.body, send)
            exchange.status = exchange.status or CLIENT_GONE
        finally:
            await watch.close()

    async def _explain(self, watch: Watch, body: PulledBody, send: Any) -> None:
        if watch.interrupted:
            await send_problem(Overloaded("the service is stopping"), self.scope, send)
        elif watch.expired:
            problem = UpstreamTimeout if body.complete else RequestTimedOut
            await send_problem(problem("the time for this request is spent"), self.scope, send)

    def _create_request_from_scope(self, send: Any) -> Any:
        """As Quart's. The headers are the server's, already checked, so they are taken as they are."""
        scope: Any = self.scope
        headers = Headers()
        headers._list = [(_name(name), value.decode("latin-1")) for name, value in scope["headers"]]
        headers._list.insert(0, ("Remote-Addr", (scope.get("client") or NOBODY)[0]))  # where Quart's remote_addr looks
        app = self.app
        return app.request_class(
            scope["method"],
            scope["scheme"],
            _path(scope),
            scope["query_string"],
            headers,
            scope.get("root_path", ""),
            scope["http_version"],
            max_content_length=app.config["MAX_CONTENT_LENGTH"],
            body_timeout=None,
            send_push_promise=_no_push,
            scope=scope,
        )

    async def handle_request(self, request: Any, send: Any) -> None:
        response: Any = await self.app.handle_request(request)
        self._started = True
        await send({"type": "http.response.start", "status": response.status_code, "headers": encode_headers(response.headers)})
        empty = self.scope["method"] == "HEAD"
        if not isinstance(response, Response):
            await send({"type": "http.response.body", "body": b"" if empty else b"".join(response.response), "more_body": False})
            return
        data = getattr(response.response, "data", None)
        if isinstance(data, bytes):
            await send({"type": "http.response.body", "body": b"" if empty else data, "more_body": False})
            return
        async with response.response as chunks:
            if not empty:
                async for chunk in chunks:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


@lru_cache(maxsize=512)
def _name(name: bytes) -> str:
    return name.decode("latin-1").title()


def _path(scope: Any) -> str:
    """The path for routing: as it was sent when it has escapes, since no route of ours needs any and `%2F` is no slash."""
    raw = scope.get("raw_path")
    return str(raw.decode("latin-1") if raw is not None and b"%" in raw else scope["path"])


async def _no_push(path: str, headers: Headers) -> None:
    """Server push is of the past."""


def _may_have_body(scope: Any) -> bool:
    """Where a body makes sense one is asked for (HTTP/2 need not announce it); elsewhere only when it is announced (RFC 9112, 6.3)."""
    return scope["method"] not in BODYLESS or any(
        (name == b"content-length" and value != b"0") or name == b"transfer-encoding" for name, value in scope["headers"]
    )

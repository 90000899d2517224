"""The pool as the transport of an httpx client: same connections, same refusals, httpx's own errors."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Protocol, cast

import httpx

from shared.pool.encode import REFUSED, Body
from shared.pool.errors import (
    ConnectFailed,
    ConnectionLost,
    ConnectTimeout,
    PoolClosed,
    PoolError,
    PoolTimeout,
    ProtocolViolation,
    ReadTimeout,
)
from shared.pool.origin import Origin
from shared.pool.response import Response

_AS_HTTPX: tuple[tuple[type[PoolError], type[httpx.TransportError]], ...] = (
    (ConnectTimeout, httpx.ConnectTimeout),
    (ConnectFailed, httpx.ConnectError),
    (PoolTimeout, httpx.PoolTimeout),
    (PoolClosed, httpx.ConnectError),
    (ReadTimeout, httpx.ReadTimeout),
    (ConnectionLost, httpx.RemoteProtocolError),
    (ProtocolViolation, httpx.RemoteProtocolError),
)
_NOT_SENT = REFUSED | {b"accept-encoding"}


class Sender(Protocol):
    """A Pool, or what stands in front of one and decides what is sent."""

    origin: Origin

    async def request(
        self,
        method: bytes,
        target: bytes,
        headers: list[tuple[bytes, bytes]],
        body: Body = None,
        *,
        length: int | None = None,
        deadline: float | None = None,
        idle: float | None = None,
    ) -> Response: ...


class PoolTransport(httpx.AsyncBaseTransport):
    """Sends a client's requests through a pool, which stays the caller's to close.

    max_body    bytes of a response's body at most (None: no bound); more is a RemoteProtocolError

    Every PoolError comes out as the httpx exception of its kind, with the PoolError as its cause. A request for another origin is an
    UnsupportedProtocol. No compressed body is asked for, and one that comes is refused. httpx's read and write timeouts bound the time in
    which no byte moves; the request extension `deadline` (a time of the event loop) bounds the whole. The others are the pool's own.
    """

    def __init__(self, pool: Sender, *, max_body: int | None = None) -> None:
        self.pool = pool
        self._max_body = max_body

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it."""
        self._check_origin(request.url)
        with _httpx_errors(request):
            response = await self._send(request)
            if any(name == b"content-encoding" and value.lower() != b"identity" for name, value in response.headers):
                response.close()
                raise ProtocolViolation("a content coding that nobody asked for")
        return httpx.Response(response.status, headers=response.headers, stream=_Stream(response, request, self._max_body))

    async def _send(self, request: httpx.Request) -> Response:
        timeouts = request.extensions.get("timeout", {})
        idle = max((seconds for seconds in (timeouts.get("read"), timeouts.get("write")) if seconds is not None), default=None)
        body, length = _body(request)
        return await self.pool.request(
            request.method.encode("ascii"),
            request.url.raw_path,
            [(name.lower(), value) for name, value in request.headers.raw if name.lower() not in _NOT_SENT],
            body,
            length=length,
            deadline=request.extensions.get("deadline"),
            idle=idle,
        )

    def _check_origin(self, url: httpx.URL) -> None:
        origin = self.pool.origin
        if url.scheme != "http" or url.host != origin.host or (url.port or 80) != origin.port or url.userinfo:
            raise httpx.UnsupportedProtocol(f"this client speaks only to {origin.url}")


class _Stream(httpx.AsyncByteStream):
    """A response's body for httpx."""

    def __init__(self, response: Response, request: httpx.Request, limit: int | None) -> None:
        self._response = response
        self._request = request
        self._limit = limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        with _httpx_errors(self._request):
            while part := await self._response.receive():
                size += len(part)
                if self._limit is not None and size > self._limit:
                    self._response.close()
                    raise ProtocolViolation(f"a body of more than {self._limit} bytes")
                yield part

    async def aclose(self) -> None:
        self._response.close()


def _body(request: httpx.Request) -> tuple[Body, int | None]:
    """The body as the pool takes it, and its length where it is known and streamed."""
    try:
        content = request.content
    except httpx.RequestNotRead:
        announced = request.headers.get("content-length")
        return cast("httpx.AsyncByteStream", request.stream), int(announced) if announced is not None else None
    return content or None, None


@contextmanager
def _httpx_errors(request: httpx.Request) -> Iterator[None]:
    try:
        yield
    except PoolError as error:
        kind = next((theirs for ours, theirs in _AS_HTTPX if isinstance(error, ours)), httpx.TransportError)
        raise kind(str(error), request=request) from error

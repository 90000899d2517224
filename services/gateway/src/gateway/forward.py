"""Passes a request on to the service that owns it, and its answer back: streaming, with back-pressure, and with lists of what may pass.

What goes to a service: the method, the path and query exactly as they came, the fields of `TO_SERVICE`, and what the gateway says itself
(the assertion of who asks, request id, trace, time left). What comes back: the status, the fields of `TO_CLIENT`, the body.
Nothing else passes in either direction: no cookie, no client's Authorization, nothing about proxies or the connection.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final

from gateway.clients.faults import problem_of
from gateway.flights import ClientGone, Flight, Flights
from gateway.resilience import Calls, Lane, LaneName
from shared.client import PATIENCE, Client
from shared.errors import BadGateway, BadRequest, Problem, RequestTimedOut
from shared.identity import Caller
from shared.pool import PoolError, ReadTimeout, Response

Headers = list[tuple[bytes, bytes]]

TO_SERVICE: Final = frozenset(
    (
        b"accept",
        b"content-encoding",
        b"content-type",
        b"idempotency-key",
        b"if-match",
        b"if-none-match",
        b"prefer",
    )
)
TO_CLIENT: Final = frozenset(
    (
        b"accept",
        b"accept-patch",
        b"allow",
        b"content-disposition",
        b"content-length",
        b"content-type",
        b"deprecation",
        b"etag",
        b"idempotency-replayed",
        b"last-modified",
        b"link",
        b"location",
        b"preference-applied",
        b"retry-after",
        b"sunset",
        b"vary",
        b"x-as-of",
        b"x-as-of-stable",
    )
)
WHOLE: Final = 64 * 1024
"""Bytes of a body that is here before a service is asked, so that who sends it slowly holds no place there: the most that ordinary
operations take."""

_PATH: Final = re.compile(rb"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~!$&'()*+,;=:@-]+)+/?|/")
_QUERY: Final = re.compile(rb"[!-\"$-~]*")
_FRAMED: Final = frozenset((b"content-length", b"transfer-encoding", b"connection"))


class BrokenResponse(Exception):
    """The service's answer broke off after it had begun: the client's connection must be cut, so that it does not look whole."""


def safe_target(raw_path: bytes, query: bytes) -> bytes | None:
    """The target to ask a service for, byte for byte the client's; None if two parsers could read it as two different ones.

    No path of Roster needs an escape, so none passes: no `%`, no dot or empty segment, no backslash, no control byte, only ASCII.
    What passes is the same text before and after decoding and normalising.
    """
    if _PATH.fullmatch(raw_path) is None or _QUERY.fullmatch(query) is None:
        return None
    return b"%b?%b" % (raw_path, query) if query else raw_path


class Forwarder:
    """The way to one service.

    `identity` gives the assertion of a caller for this service. `patience` bounds, in seconds, how long either side may move no byte
    when it is its turn.
    """

    def __init__(self, calls: Calls, service: str, identity: Callable[[Caller], str], *, patience: float = PATIENCE) -> None:
        self._lanes = calls.lanes
        self._service = service
        self._identity = identity
        self._patience = patience
        self.flights = Flights(patience)

    async def __call__(
        self,
        scope: Any,
        receive: Any,
        send: Any,
        *,
        caller: Caller,
        request_id: str,
        traceparent: str | None = None,
        deadline: float | None,
        lane: LaneName = "requests",
        extra: Sequence[tuple[bytes, bytes]] = (),
    ) -> int:
        """Forward one request; returns the status that was sent.

        `deadline` is a time of the event loop's clock by which all must be over; None means that it may last as long as bytes move.
        `extra` fields are added to the answer's; what the edge says itself is none of `TO_CLIENT`.

        Raises Problem when nothing was sent yet, BrokenResponse when the answer had begun, ClientGone when nobody is there to answer.
        """
        target = safe_target(scope["raw_path"], scope["query_string"])
        if target is None:
            raise BadRequest("The path or the query has bytes or segments that can't be passed on.")
        headers, length = _to_service(scope["headers"])
        headers.append((b"authorization", b"Bearer " + self._identity(caller).encode("ascii")))
        headers.append((b"x-request-id", request_id.encode("ascii")))
        if traceparent is not None:
            headers.append((b"traceparent", traceparent.encode("ascii")))
        flight = Flight(Client(receive, send), deadline, length != 0)
        self.flights.begin(flight)
        try:
            response = await self._ask(self._lanes[lane], scope["method"].encode("ascii"), target, headers, length, flight)
            return await self._answer(response, extra, flight)
        except asyncio.CancelledError:
            if flight.reason is None or (flight.task is not None and flight.task.uncancel() > 0):
                raise
            raise flight.reason from None
        finally:
            self.flights.finish(flight)

    async def _ask(self, lane: Lane, method: bytes, target: bytes, headers: Headers, length: int | None, flight: Flight) -> Response:
        deadline = flight.deadline
        try:
            body = await _body(flight, length, WHOLE if deadline is not None else 0) if length != 0 else None
            idle = self._patience if deadline is None else None
            response = await lane.request(method, target, headers, body, length=length, deadline=deadline, idle=idle)
            flight.pending = False
            if (300 <= response.status < 400 and response.status != 304) or response.status == 401:
                response.close()
                raise BadGateway(f"The {self._service} service gave an answer that can't be passed on.")
            if not response.ended:
                await response.some()  # what breaks off before its first byte can still be told
        except PoolError as error:
            raise self._problem(error, flight) from error
        except ValueError as error:
            raise BadRequest(f"The request can't be passed on: {error}.") from error
        return response

    async def _answer(self, response: Response, extra: Sequence[tuple[bytes, bytes]], flight: Flight) -> int:
        headers = [field for field in response.headers if field[0] in TO_CLIENT]
        headers += extra
        send = flight.client.send
        try:
            await send({"type": "http.response.start", "status": response.status, "headers": headers})
            part = response.take()
            while not response.ended:
                if part:
                    await send({"type": "http.response.body", "body": part, "more_body": True})
                part = await response.receive()
            await send({"type": "http.response.body", "body": part, "more_body": False})
        except PoolError as error:
            raise BrokenResponse(f"the answer of the {self._service} service broke off: {error}") from error
        except asyncio.CancelledError:
            if isinstance(flight.reason, Problem):
                flight.reason = BrokenResponse(f"the answer of the {self._service} service was cut off: {flight.reason}")
            raise
        finally:
            response.close()
        return response.status

    def _problem(self, error: PoolError, flight: Flight) -> Problem:
        if isinstance(error, ReadTimeout) and flight.pending:
            return RequestTimedOut("The request's body came too slowly.")
        return problem_of(self._service, error)


def _to_service(given: Headers) -> tuple[Headers, int | None]:
    """The fields that pass, and the length of the body: 0 for none, None for one in chunks."""
    headers = [field for field in given if field[0] in TO_SERVICE]
    length: int | None = 0
    for name, value in given:
        if name in _FRAMED:
            if name == b"content-length":
                length = int(value)
            elif name == b"transfer-encoding":
                length = None
            else:
                named = {token.strip().lower() for token in value.split(b",")}
                headers = [field for field in headers if field[0] not in named]
    return headers, length


async def _body(flight: Flight, length: int | None, whole: int) -> bytes | AsyncIterator[bytes]:
    """The body: as bytes if it has all come, which is waited for up to `whole` bytes; otherwise as a stream."""
    pieces: list[bytes] = []
    size = 0
    while not pieces or (flight.pending and size <= whole and (length is None or length <= whole)):
        pieces.append(await _next(flight))
        size += len(pieces[-1])
    body = b"".join(pieces)
    if flight.pending:
        return _rest(flight, body)
    if length is not None and size != length:
        raise ValueError("the body has another length than announced")
    return body


async def _rest(flight: Flight, piece: bytes) -> AsyncIterator[bytes]:
    yield piece
    while flight.pending:
        yield await _next(flight)


async def _next(flight: Flight) -> bytes:
    """The next piece of the client's body; `pending` tells whether more follow."""
    message = await flight.client.receive()
    if message["type"] == "http.disconnect":
        raise ClientGone("the client has disconnected")
    flight.pending = message.get("more_body", False)
    piece: bytes = message.get("body", b"")
    return piece

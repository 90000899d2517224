"""uvicorn's HTTP/1.1 with what it lacks: bounds on the size of a request's head, on the time that it takes and on how many wait, refusals
as problems, and answers written at once (`shared.answer`).

Without bounds a head of any size is kept in memory, and a connection that never sends one is kept for ever, whoever sends it.
Trailers are dropped (RFC 9110, section 6.5.1): whoever looks at a head has to know that it is all there. An upgrade is never made.
"""

import asyncio
from functools import partial
from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from shared.answer import Answer
from shared.door import Door
from shared.errors import BadRequest, Problem, problem_of_status
from shared.exchange import Exchange
from shared.gathering import Gathered
from shared.json import encode

MAX_HEAD: Final = 64 * 1024
"""Bytes of a request's target and headers; an unfinished head is cut off at most one read later."""

HEAD_WITHIN: Final = 30.0
"""Seconds for a connection's first head to be complete, and for a later one that comes in pieces."""

LINGER: Final = 2.0
MOST_LINGERING: Final = 1024 * 1024
"""Seconds and bytes for which somebody who was refused is still listened to."""

MOST_WAITING: Final = 64
"""Requests of one connection that wait for the one before; those behind are not read, and the connection closes."""

MOST_REFUSED: Final = 32
"""Requests of one read that are turned away; who sends more, or does not read what it is told, is cut off."""

_BUSY: Final = float("inf")
"""Since when a connection is idle that is not."""


_FAULTS: Final = {
    httptools.HttpParserInvalidURLError: "the request's target has bytes that are to be percent-encoded, as %C3%AA for \u00ea (RFC 3986)",
    httptools.HttpParserInvalidMethodError: "the request does not begin with a method that is known here",
}


class HeadRefused(Exception):
    """Ends the parser's work on a request."""


class Protocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.app = partial(_answer_by, self.app)
        self._door: Door | None = getattr(self.config.app, "door", None)
        self._first = True
        self._in_head = False
        self._in_body = False
        self._held = 0  # bytes of the present head, or since the last of a body, those of the first read not counted
        self._read = 0
        self._patience: asyncio.TimerHandle | None = None
        self._idle_since = _BUSY
        self._lingering: int | None = None  # bytes that came since it was refused
        self._full = False  # more wait than may
        self._turned_away = 0  # of the present read
        self._refusal: Problem = BadRequest("this is no HTTP/1.1 request, or one that could be read in two ways")

    transport: Gathered

    def connection_made(self, transport: Any) -> None:
        super().connection_made(Gathered(transport, self.loop))
        self._patience = self.loop.call_later(HEAD_WITHIN, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._be_calm()
        super().connection_lost(exc)
        super()._unset_keepalive_if_required()

    def eof_received(self) -> None:
        """The client sends nothing more; the loop closes the connection now. What has been answered is for it."""
        self.transport.flush()

    def data_received(self, data: bytes) -> None:
        first, self._first = self._first, False
        if self._door is None or not first:
            self._read_on(data)
        elif not self._door.begin_first(partial(self._read_first, data)):
            self.transport.pause_reading()

    def _read_first(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self.transport.resume_reading()
        try:
            self._read_on(data)
        except Exception:  # as the loop does with what it calls itself
            self.transport.abort()
            raise

    def _read_on(self, data: bytes) -> None:
        if self._lingering is not None:
            self._lingering += len(data)
            if self._lingering > MOST_LINGERING:
                self.transport.close()
            return
        self._read = len(data)
        self._idle_since = _BUSY
        self._turned_away = 0
        self._parse(data)
        if self._is_ending():
            return
        if self._in_head or self._in_body:
            self._await_more()
        cycle: RequestResponseCycle | None = self.cycle
        if not self._in_head and self._idle_since == _BUSY and cycle is not None and cycle.response_complete:
            self._rest()  # the body of a request that was answered before it came

    def _parse(self, data: bytes) -> None:
        rest: bytes | memoryview = data
        try:
            while True:
                try:
                    self.parser.feed_data(rest)
                    return
                except httptools.HttpParserUpgrade as upgrade:
                    rest = memoryview(rest)[upgrade.args[0] :]
                    self._parse_without_upgrade()
        except httptools.HttpParserError as error:
            if type(error) in _FAULTS:
                self._refusal = BadRequest(_FAULTS[type(error)])
            self.send_400_response("")

    def _parse_without_upgrade(self) -> None:
        """Read the head once more as one that asks for no other protocol, as a server may (RFC 9110, section 7.8): the parser would take
        the body for the start of that protocol."""
        first = b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode("ascii"))
        fields = (b"%b: %b" % field for field in self.headers if field[0] != b"upgrade")
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's, so that the last answer is given
        self.parser.feed_data(b"\r\n".join((first, *fields, b"", b"")))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._in_body = True, False
        self._held = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head, self._in_body = False, True
        if self.transport.is_closing():
            raise HeadRefused
        if len(self.pipeline) >= MOST_WAITING:
            self._full = True
            self.cycle.keep_alive = False
            raise HeadRefused
        if self._patience is not None:
            self._be_calm()
        if (self._held or self._read > MAX_HEAD) and self._size() > MAX_HEAD:
            self._refusal = _too_large()
            raise HeadRefused
        names = [name for name, _ in self.headers]
        if self.parser.get_http_version() != "1.0" and names.count(b"host") != 1:
            self._refusal = BadRequest("a request has one Host header (RFC 9112, section 3.2)")
            raise HeadRefused
        if b"transfer-encoding" in names and [value.lower() for name, value in self.headers if name == b"transfer-encoding"] != [
            b"chunked"
        ]:
            raise HeadRefused  # the parser takes for chunked whatever ends so, as `,chunked` or a second line
        if self.parser.get_http_version() not in ("1.0", "1.1"):
            self._refusal = problem_of_status(505, "HTTP/1.1 is spoken here, and HTTP/1.0")
            raise HeadRefused
        if self.parser.get_method() == b"CONNECT":
            self._refusal = problem_of_status(501, "nothing is connected to from here")
            raise HeadRefused
        if not self.parser.should_upgrade():
            self._held = 0
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._held = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_body = False
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """As uvicorn's, but that the timer of an idle connection is not made and taken away with each request: it looks, when it fires."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self.flow.resume_reading()
        self._rest()

    def _rest(self) -> None:
        """Nothing is under way: close in a while."""
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def timeout_keep_alive_handler(self) -> None:
        self.timeout_keep_alive_task = None
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left <= 0:
            super().timeout_keep_alive_handler()
        elif self._idle_since != _BUSY:
            self.timeout_keep_alive_task = self.loop.call_later(left, self.timeout_keep_alive_handler)

    def _unset_keepalive_if_required(self) -> None:
        """The timer stays, see `on_response_complete`."""

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        refusal = None if self._door is None else self._door.refusal(cycle.scope)
        if refusal is None:
            super()._start_asgi_task(cycle, app)
        else:
            self._turn_away(cycle, refusal)

    def _turn_away(self, cycle: RequestResponseCycle, refusal: bytes) -> None:
        """Answer without the app; a body that follows is read, and dropped."""
        cycle.response_started = cycle.response_complete = True
        self._turned_away += 1
        if self._turned_away > MOST_REFUSED or self.flow.write_paused:
            self.transport.abort()
            return
        self.transport.write(refusal)
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what the parser could not read. An answer that has begun, or may have, is left broken, so that its reader knows."""
        if self._full or self.transport.is_closing():
            return
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete or not (cycle.response_started or self.pipeline):
            request_id = Exchange().request_id
            self.logger.warning("request %s refused: %s", request_id, self._refusal.detail)
            self.transport.write(_bytes_of(self._refusal, request_id))
        if (cycle is None or cycle.response_complete) and self.transport.can_write_eof():
            self._linger()
        else:
            self.transport.close()

    def _linger(self) -> None:
        """Close what is written, and go on reading for a moment: a socket that is closed with bytes unread is reset, and the answer may be
        lost with it before its reader has it (RFC 9112, section 9.6)."""
        self._lingering = 0
        self._be_calm()
        self.transport.write_eof()
        self._patience = self.loop.call_later(LINGER, self.transport.close)

    def _is_ending(self) -> bool:
        return self._lingering is not None or self.transport.is_closing()

    def _size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _await_more(self) -> None:
        """The head goes on in the next read, or what is no body in a body: the sizes of chunks, and trailers."""
        if self._held > MAX_HEAD:
            self._refusal = _too_large()
            self.send_400_response("")
        elif self._in_head and self._patience is None:
            self._patience = self.loop.call_later(HEAD_WITHIN, self.transport.abort)
        self._held += self._read if self._held else 1

    def _be_calm(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


def _answer_by(app: Any, scope: Any, receive: Any, send: Any) -> Any:
    """Run an app whose answer is written by an Answer. The cycle must not hold that, which holds the cycle: each request would be left
    for the garbage collector, which stopped everything for a hundred requests' time after each thousand."""
    return app(scope, receive, Answer(send.__self__))


def _too_large() -> Problem:
    return problem_of_status(431, f"the request's target and headers, or its trailers, have more than {MAX_HEAD} bytes")


def _bytes_of(problem: Problem, request_id: str) -> bytes:
    body = encode(problem.document(request_id, None))
    head = (
        f"HTTP/1.1 {problem.status} {problem.title}\r\nContent-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n"
        f"X-Request-ID: {request_id}\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body

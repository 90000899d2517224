"""uvicorn's HTTP/1.1 with what it lacks: bounds on the size of a request's head and on the time that it takes, refusals as problems, and
answers written at once.

Without bounds a head of any size is kept in memory, and a connection that never sends one is kept for ever, whoever sends it. uvicorn
writes an answer's head before it knows the body: two system calls, and two packets, for what is one piece most of the time.
"""

import asyncio
from functools import partial
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from shared.door import Door
from shared.errors import BadRequest, Problem, problem_of_status
from shared.exchange import Exchange
from shared.json import encode

MAX_HEAD: Final = 64 * 1024
"""Bytes of a request's target and headers; an unfinished head is cut off at most one read later."""

HEAD_WITHIN: Final = 30.0
"""Seconds for a connection's first head to be complete, and for a later one that comes in pieces."""

LINGER: Final = 2.0
MOST_LINGERING: Final = 1024 * 1024
"""Seconds and bytes for which somebody who was refused is still listened to."""


_BUSY: Final = float("inf")
"""Since when a connection is idle that is not."""


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
        self._held = 0  # bytes of the present head, those of its first read not counted
        self._read = 0
        self._patience: asyncio.TimerHandle | None = None
        self._idle_since = _BUSY
        self._lingering: int | None = None  # bytes that came since it was refused
        self._refusal: Problem = BadRequest("this is no HTTP/1.1 request, or one that could be read in two ways")

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._patience = self.loop.call_later(HEAD_WITHIN, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._be_calm()
        super().connection_lost(exc)
        super()._unset_keepalive_if_required()

    def data_received(self, data: bytes) -> None:
        first, self._first = self._first, False
        if self._door is None or not first:
            self._read_on(data)
        elif not self._door.begin_first(partial(self._read_first, data)):
            self.transport.pause_reading()

    def _read_first(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.resume_reading()
            self._read_on(data)

    def _read_on(self, data: bytes) -> None:
        if self._lingering is not None:
            self._lingering += len(data)
            if self._lingering > MOST_LINGERING:
                self.transport.close()
            return
        self._read = len(data)
        self._idle_since = _BUSY
        super().data_received(data)
        if self._in_head and not self._is_ending():
            self._await_more()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._held = 0

    def on_headers_complete(self) -> None:
        self._in_head = False
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
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """As uvicorn's, but that the timer of an idle connection is not made and taken away with each request: it looks, when it fires."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
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
        self.transport.write(refusal)
        if not cycle.keep_alive:
            self.transport.close()
        if self.pipeline:  # a thousand that came together are no thousand calls within each other
            self.loop.call_soon(self.on_response_complete)
        else:
            self.on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what the parser could not read. An answer that has begun is left broken, so that its reader knows."""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete or not cycle.response_started:
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
        """The head goes on in the next read."""
        if self._held > MAX_HEAD:
            self._refusal = _too_large()
            self.send_400_response("")
        elif self._patience is None:
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


class Answer:
    """The `send` of one request: keeps the head until the first part of the body, as the ASGI specification says of servers (HTTP, Response
    Start), and writes an answer that is then complete in one piece. Everything else goes uvicorn's way.
    """

    __slots__ = ("_cycle", "_head", "_send")

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._send = cycle.send
        self._head: Any = None

    async def __call__(self, message: Any) -> None:
        cycle, head = self._cycle, self._head
        if head is None:
            if message["type"] == "http.response.start" and not cycle.response_started:
                self._head = message
                cycle.response_started = True  # an app that fails from now on is answered by nothing at all
            else:
                await self._send(message)
        elif message["type"] != "http.response.body":
            raise RuntimeError(f"{message['type']} behind the head of an answer")
        else:
            self._head = None
            if message.get("more_body", False):
                cycle.response_started = False
                await self._send(head)
                await self._send(message)
            else:
                await self._write(head, message.get("body", b""))

    async def _write(self, start: Any, body: bytes) -> None:
        """A whole answer. Raises RuntimeError for a head that could be read in two ways, or with another length than the body's."""
        cycle = self._cycle
        if cycle.flow.write_paused and not cycle.disconnected:
            await cycle.flow.drain()
        if cycle.disconnected:
            return
        head, length, closes = _head_of(start["status"], [*cycle.default_headers, *start["headers"]])
        bodiless = cycle.scope["method"] == "HEAD" or start["status"] in (204, 304)
        if length is None and not bodiless:
            head += b"content-length: %d\r\n" % len(body)
        elif length != len(body) and not bodiless:
            raise RuntimeError("the body has another length than announced")
        cycle.keep_alive = cycle.keep_alive and not closes
        end = b"\r\n" if cycle.keep_alive or closes else b"connection: close\r\n\r\n"
        cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        cycle.transport.write(b"%b%b%b" % (head, end, b"" if bodiless else body))
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()


def _head_of(status: int, headers: list[tuple[bytes, bytes]]) -> tuple[bytes, int | None, bool]:
    """The status line and the fields; the length that they announce; whether they say that the connection closes."""
    head = STATUS_LINE[status] + b"\r\n".join((*map(b": ".join, headers), b""))
    if head.count(b"\n") != len(headers) + 1 or head.count(b"\r") != len(headers) + 1 or b"\0" in head:
        raise RuntimeError("a line break or NUL in a header")
    fields = dict(headers)
    if b"transfer-encoding" in fields:
        raise RuntimeError("a transfer coding is the server's own affair")
    length = fields.get(b"content-length")
    return head, None if length is None else int(length), b"close" in fields.get(b"connection", b"").lower()


def _too_large() -> Problem:
    return problem_of_status(431, f"the request's target and headers have more than {MAX_HEAD} bytes")


def _bytes_of(problem: Problem, request_id: str) -> bytes:
    body = encode(problem.document(request_id, None))
    head = (
        f"HTTP/1.1 {problem.status} {problem.title}\r\nContent-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n"
        f"X-Request-ID: {request_id}\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body

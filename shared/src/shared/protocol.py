"""uvicorn's HTTP/1.1 with what it lacks: bounds on the size of a request's head and on the time that it takes, and refusals as problems.

Without them a head of any size is kept in memory, and a connection that never sends one is kept for ever, whoever sends it.
"""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from shared.errors import BadRequest, Problem, problem_of_status
from shared.exchange import Exchange
from shared.json import encode

MAX_HEAD: Final = 64 * 1024
"""Bytes of a request's target and headers; an unfinished head is cut off at most one read later."""

HEAD_WITHIN: Final = 30.0
"""Seconds for a connection's first head to be complete, and for a later one that comes in pieces."""


class HeadTooLarge(Exception):
    """Ends the parser's work on a request."""


class Protocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = False
        self._held = 0  # bytes of the present head, those of its first read not counted
        self._read = 0
        self._patience: asyncio.TimerHandle | None = None
        self._refusal: Problem = BadRequest("this is no HTTP/1.1 request, or one that could be read in two ways")

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._patience = self.loop.call_later(HEAD_WITHIN, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._be_calm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._read = len(data)
        super().data_received(data)
        if self._in_head and not self.transport.is_closing():
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
            raise HeadTooLarge
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what the parser could not read. An answer that has begun is left broken, so that its reader knows."""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete or not cycle.response_started:
            request_id = Exchange().request_id
            self.logger.warning("request %s refused: %s", request_id, self._refusal.detail)
            self.transport.write(_bytes_of(self._refusal, request_id))
        self.transport.close()

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


def _too_large() -> Problem:
    return problem_of_status(431, f"the request's target and headers have more than {MAX_HEAD} bytes")


def _bytes_of(problem: Problem, request_id: str) -> bytes:
    body = encode(problem.document(request_id, None))
    head = (
        f"HTTP/1.1 {problem.status} {problem.title}\r\nContent-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n"
        f"X-Request-ID: {request_id}\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body

"""Whom a process turns away at its door: when a request's head is read, before a task, a look-up or a line of the log is spent on it.

An event loop first takes in all that has arrived, and then goes on with what it had begun. When more arrives than it can refuse the
usual way, each turn is longer than the one before, and answers that are ready wait behind new requests, without any policy to see it.
So only `TURN` requests are begun in a turn of the loop. The others get an answer that was written beforehand.

Of connections that have sent nothing before only `FIRST` are listened to in a turn, and the others wait, unread, for the next: a thousand
who come at the same time are served one after the other, and who was there before is served in between.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, Metric

from shared.errors import Overloaded
from shared.exchange import Exchange
from shared.json import encode
from shared.shedding import SHED

TURN: Final = 128
"""Twice what one gateway may send at a time to a service."""
FIRST: Final = 8
_ID: Final = "0" * 32

Fields = Iterable[tuple[bytes, bytes]]


class Refusal:
    """The whole answer of a problem, the same for everybody but for the request's id, with more fields if there are any; over TLS with
    those of `encrypted` instead.
    """

    def __init__(self, problem: Overloaded, fields: Fields, encrypted: Fields | None = None) -> None:
        self._body = encode(problem.document(_ID, None)).split(_ID.encode())
        self._head = _head(problem, fields)
        self._encrypted = self._head if encrypted is None else _head(problem, encrypted)

    def answer(self, scope: Any) -> bytes:
        """What is to be written to who asks."""
        request_id = Exchange(dict(scope["headers"])).request_id.encode()
        body = request_id.join(self._body)
        fields = self._encrypted if scope["scheme"] == "https" else self._head
        head = b"%bx-request-id: %b\r\ncontent-length: %d\r\n\r\n" % (fields, request_id, len(body))
        return head if scope["method"] == "HEAD" else head + body


def _head(problem: Overloaded, fields: Fields) -> bytes:
    told = {name.lower(): value for name, value in problem.headers.items()}
    told |= {"content-type": "application/problem+json", "vary": "Accept", "cache-control": "no-store"}
    told["x-content-type-options"] = "nosniff"
    told |= {name.decode(): value.decode() for name, value in fields}
    lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    return f"HTTP/1.1 {problem.status} {problem.title}\r\n{lines}".encode()


class Door:
    """Asked by the server (`shared.protocol`) for each request; `always` has the paths that are let in whatever happens.

    `observe` is told of who is turned away, as `Metrics.observe`. While the process is `stopping` everybody is let in, to be answered
    in a way that says so.
    """

    def __init__(
        self,
        observe: Callable[[str, str, int, float], None],
        stopping: Callable[[], bool],
        always: Container[str],
        *,
        fields: Fields = (SHED,),
        encrypted: Fields | None = None,
        turn: int = TURN,
    ) -> None:
        self.turned_away = 0
        self._observe = observe
        self._stopping = stopping
        self._always = always
        self._turn = turn
        self._begun = self._first = 0
        self._in_turn = False
        self._waiting: deque[Callable[[], None]] = deque()
        self._busy = Refusal(Overloaded("Too many requests came at the same time."), fields, encrypted)

    def refusal(self, scope: Any) -> bytes | None:
        """The bytes of the answer to who is turned away, None for who is let in. Called by the event loop, once a request."""
        self._count_turn()
        self._begun += 1
        if self._begun <= self._turn or scope["path"] in self._always or self._stopping():
            return None
        return self.turn_away(scope, self._busy)

    def begin_first(self, begin: Callable[[], None]) -> bool:
        """Begin with a connection's first bytes: now, which is True, or when it is their turn."""
        self._count_turn()
        if self._first < FIRST and not self._waiting:
            self._first += 1
            begin()
            return True
        self._waiting.append(begin)
        return False

    def turn_away(self, scope: Any, refusal: Refusal, operation: str = "") -> bytes:
        """The bytes of this refusal; counted."""
        self.turned_away += 1
        self._observe(operation, scope["method"], 503, 0.0)
        return refusal.answer(scope)

    def collect(self) -> Iterator[Metric]:
        """What prometheus_client calls on a scrape."""
        yield CounterMetricFamily("requests_turned_away", "Requests refused before anything was done for them.", value=self.turned_away)

    def _count_turn(self) -> None:
        if not self._in_turn:
            self._in_turn = True
            asyncio.get_running_loop().call_soon(self._begin_turn)

    def _begin_turn(self) -> None:
        self._in_turn = False
        self._begun = 0
        self._first = min(FIRST, len(self._waiting))
        if self._first:
            self._count_turn()
        for _ in range(self._first):
            self._waiting.popleft()()

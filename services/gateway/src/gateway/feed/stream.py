"""The merged feed as server-sent events (WHATWG HTML, section 9.2): one event a change, its id the place after it."""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from gateway.errors import FeedRestored
from gateway.feed.merged import Batch, Event, Merged
from shared.errors import Overloaded
from shared.json import encode

MEDIA_TYPE: Final = "text/event-stream"
AT_ONCE: Final = 200
"""Events of one piece: what waits for a slow reader is one piece, and what the server's own buffer holds."""

HEARTBEAT: Final = 15.0
"""Seconds of silence after which a comment is sent, so that nobody between takes the connection for dead."""

LOOK: Final = 1.0
RETRY_MS: Final = 2_000
LINGER: Final = 3.0
"""Seconds after the end was due in which a reader who takes nothing is cut off."""


@dataclass
class Streams:
    """The streams of this process: `most` at a time. The one that is too many gets an Overloaded."""

    most: int
    open: int = 0

    def enter(self) -> None:
        """Take the place of one; `leave` gives it back. Raises Overloaded when there is none."""
        if self.open >= self.most:
            raise Overloaded("As many streams are open as may be.", retry_after=10)
        self.open += 1

    def leave(self) -> None:
        self.open -= 1


@dataclass
class Stream:
    """One reader's stream, from its first batch on. `over` tells why it is to end; empty: it is not."""

    merged: Merged
    entities: Collection[str]
    over: Callable[[], Awaitable[str]]
    request_id: str
    _heard: float = field(default_factory=time.monotonic)

    async def pieces(self, batch: Batch) -> AsyncIterator[bytes]:
        """What is sent. It is made as it is taken: a reader who takes nothing costs one piece."""
        try:
            yield b"retry: %d\n\n" % RETRY_MS
            async with aclosing(self._all(batch)) as pieces:
                async for piece in pieces:
                    yield piece
        except FeedRestored as problem:
            yield _event("gone", problem.document(self.request_id, None))

    async def _all(self, batch: Batch) -> AsyncGenerator[bytes, None]:
        missing: tuple[str, ...] = ()
        while True:
            if reason := await self.over():  # what was read meanwhile is handed to nobody who was shut out
                yield _event("end", {"reason": reason})
                return
            if piece := self._piece(batch, missing):
                yield piece
                self._heard = time.monotonic()
            missing = batch.missing
            batch = await self.merged.read(batch.after, self.entities, limit=AT_ONCE, wait=LOOK, ask=False)

    def _piece(self, batch: Batch, missing: tuple[str, ...]) -> bytes:
        """The events, and whether the services that are missing are others now; a heartbeat when nothing was said for long."""
        piece = b"".join(map(_of, batch.events))
        if batch.missing != missing:
            piece += _event("status", {"complete": not batch.missing, "missing": batch.missing})
        if not piece and time.monotonic() - self._heard >= HEARTBEAT:
            piece = b": still here\n\n"
        return piece


def _of(event: Event) -> bytes:
    return b"id: %b\ndata: %b\n\n" % (str(event.after).encode(), event.json())


def _event(kind: str, document: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), encode(document))

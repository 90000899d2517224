"""Reading the feed of another service (`shared.feed` serves it): over a pool of kept connections, signed, and never in pieces.

Straight over the pool: a response of httpx refers to itself, so that its body would stay in memory until the next collection, and
those are rare (`shared.server`). Whoever reads a long feed would hold hundreds of batches.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Final, Generic, TypeVar
from urllib.parse import urlencode

import msgspec

from shared.feed import MEDIA_TYPE
from shared.pool import ConnectionLost, Pool, PoolError, Response

ASKS: Final = ("after", "wait", "limit")
"""The query parameters that a feed is asked with."""

BATCH: Final = 500
MAX_BODY: Final = 16 * 1024 * 1024
PATIENCE: Final = 10.0
"""Seconds that an answer may take beyond the time that it was asked to wait."""

State = TypeVar("State")


class FeedFault(Exception):
    """The feed can't be read at the moment; the message says why."""


class FeedGone(Exception):
    """The cursor is from before a restore of the service: the feed is to be read from its beginning."""


class Event(msgspec.Struct, Generic[State], frozen=True):
    """One change; `id` is the cursor to go on with, `data` is null when the record was deleted, `erased` says that personal data went."""

    id: str
    type: str
    subject: str
    time: str
    data: State | None = None
    erased: bool = False

    @property
    def seq(self) -> int:
        """Its place in the log."""
        return seq_of(self.id)

    @property
    def deleted(self) -> bool:
        """Whether the record is gone."""
        return self.type.endswith(".deleted") or self.data is None

    def id_of(self, entity: str) -> int | None:
        """The id of the record that it is about; None when that is no `entity`."""
        found, _, id_ = self.subject.partition("/")
        return int(id_) if found == entity and id_.isdigit() else None


def seq_of(cursor: str) -> int:
    """The place in the log that a cursor names. Raises ValueError."""
    return int(cursor.rpartition(".")[2])


def known_before(ids: Sequence[str], after: str | None) -> int:
    """How many at the beginning of a batch are not after the cursor that it was asked with (None: the beginning of the feed).

    Raises ValueError unless the ids are of the cursor's epoch and count by one, from the one after the cursor at the latest: a log counts
    without gaps (`shared.changes`), so what is missing was lost, and nothing may be built on what follows it.
    """
    if not ids:
        return 0
    first, epoch = seq_of(ids[0]), (after or ids[0]).partition(".")[0]
    if any(id_ != f"{epoch}.{first + number}" for number, id_ in enumerate(ids)):
        raise ValueError(f"the events do not count by one in epoch {epoch}")
    known = (seq_of(after) if after else 0) + 1 - first
    if known < 0:
        raise ValueError(f"events are missing between {after or 'the beginning'} and {ids[0]}")
    return min(known, len(ids))


class FeedClient(Generic[State]):
    """The feed at a `path` of the service at `origin`. Making one connects to nothing.

    `state` is what is read of a record; `bearer` gives the assertion of who asks, and is None where nobody need say; `size` is how many
    requests there may be at a time.
    """

    def __init__(self, origin: str, path: str, state: type[State], bearer: Callable[[], str] | None, *, size: int = 2) -> None:
        self._path = path
        self._bearer = bearer
        self._pool = Pool(origin, size=size, connect_timeout=2.0)
        self._decode = msgspec.json.Decoder(list[Event[state]]).decode  # type: ignore[valid-type]  # a type that is known when it runs

    async def changes(self, after: str | None, *, wait: int) -> list[Event[State]]:
        """The events after a cursor (None: from the first), waiting for the first one up to `wait` seconds. Raises FeedGone, FeedFault."""
        return self._events(await self.fetch({"wait": wait, "limit": BATCH} | ({} if after is None else {"after": after})), after)

    async def fetch(self, query: Mapping[str, str | int]) -> bytes:
        """The answer to a query, a batch of events as it came. Raises FeedGone, FeedFault."""
        limit = int(query.get("wait", 0)) + PATIENCE
        deadline = asyncio.get_running_loop().time() + limit
        target = f"{self._path}?{urlencode(query)}".encode("ascii")
        try:
            async with await self._ask(target, deadline, limit) as response:
                headers = dict(response.headers)
                content = await response.read(MAX_BODY)
        except PoolError as error:
            raise FeedFault(f"{type(error).__name__}: {error}") from error
        if response.status == HTTPStatus.GONE:
            raise FeedGone
        if response.status != HTTPStatus.OK:
            raise FeedFault(f"status {response.status}")
        if headers.get(b"content-type", b"").partition(b";")[0] != MEDIA_TYPE.encode() or b"content-encoding" in headers:
            raise FeedFault("the answer is no batch of events")
        return content

    async def _ask(self, target: bytes, deadline: float, idle: float) -> Response:
        """Once more, on a fresh connection, where a kept one was closed before it had the request."""
        try:
            return await self._pool.request(b"GET", target, self._headers(), deadline=deadline, idle=idle)
        except ConnectionLost as error:
            if not error.stale:
                raise
        return await self._pool.request(b"GET", target, self._headers(), deadline=deadline, idle=idle, fresh=True)

    def _events(self, content: bytes, after: str | None) -> list[Event[State]]:
        try:
            events = self._decode(content)
            return events[known_before([event.id for event in events], after) :]
        except (msgspec.MsgspecError, ValueError) as error:
            raise FeedFault(f"the answer is no batch of events: {error}") from error

    def _headers(self) -> list[tuple[bytes, bytes]]:
        return [(b"authorization", b"Bearer " + self._bearer().encode("ascii"))] if self._bearer else []

    async def aclose(self) -> None:
        """Cut every connection."""
        await self._pool.aclose()

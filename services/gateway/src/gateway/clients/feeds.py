"""The feeds of the services, as the gateway reads them: events pass through as their owners wrote them, and only their heads are read."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from gateway.clients.answers import Head, StaffState
from gateway.clients.rules import CHANGES
from shared.feedclient import BATCH, FeedClient, FeedFault, known_before, seq_of
from shared.identity import Caller

CALLER: Final = Caller("service:gateway", "gateway", "feed", "gateway")
"""Who asks: the gateway itself, on nobody's behalf, since it reads once for all who follow."""

READS_AT_ONCE: Final = 4
"""Requests to one service that may be under way besides the one that waits at its end."""


class Change:
    """One event of a service's feed: what is read of it, and the whole as JSON without a line break."""

    __slots__ = ("entity", "head", "raw", "seq")

    def __init__(self, head: Head, raw: bytes) -> None:
        self.head = head
        self.raw = raw
        self.seq = seq_of(head.id)
        self.entity = head.subject.partition("/")[0]


class ServiceFeed:
    """The feed of one service. Making one connects to nothing."""

    def __init__(self, origin: str, bearer: Callable[[Caller], str]) -> None:
        self._client: FeedClient[Any] = FeedClient(origin, CHANGES.path, Any, lambda: bearer(CALLER), size=READS_AT_ONCE + 2)

    async def changes(self, after: str | None, *, wait: int = 0, limit: int = BATCH) -> list[Change]:
        """The events after a cursor (None: from the first), waiting for the first one up to `wait` seconds. Raises FeedGone, FeedFault."""
        return read_batch(await self._client.fetch({"wait": wait, "limit": limit} | ({} if after is None else {"after": after})), after)

    async def newest(self) -> str | None:
        """The cursor of the newest event, None when there is none yet. Raises FeedFault."""
        found = _decoded(await self._client.fetch({"last": "true"}))
        return found[-1].head.id if found else None

    async def aclose(self) -> None:
        """Cut every connection."""
        await self._client.aclose()


def feed_of_employees(url: str, bearer: Callable[[Caller], str]) -> FeedClient[StaffState]:
    """The feed of employees at an address, read for what becomes of those who have accounts. Making one connects to nothing."""
    return FeedClient(url, CHANGES.path, StaffState, lambda: bearer(CALLER))


def read_batch(content: bytes, after: str | None) -> list[Change]:
    """The events of an answer that come after the cursor that was asked with. Raises FeedFault for what is none, and for a gap."""
    changes = _decoded(content)
    try:
        return changes[known_before([change.head.id for change in changes], after) :]
    except ValueError as error:
        raise FeedFault(f"the answer is no batch of events: {error}") from error


def _decoded(content: bytes) -> list[Change]:
    try:
        return [Change(_decode_head(raw), _one_line(bytes(raw))) for raw in _decode(content)]
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise FeedFault(f"the answer is no batch of events: {error}") from error


def _one_line(raw: bytes) -> bytes:
    return raw if b"\n" not in raw and b"\r" not in raw else msgspec.json.format(raw, indent=-1)


_decode = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_head = msgspec.json.Decoder(Head).decode

"""A service's feed written by hand, answered as `shared.feed` answers it. It never waits."""

from bisect import bisect_right
from typing import Any

import msgspec

from shared.errors import BadGateway, Gone, Problem
from shared.feedclient import seq_of


class FakeFeed:
    """`events` are in order; `down` makes every answer a failure."""

    def __init__(self, source: str, epoch: str) -> None:
        self.source = source
        self.epoch = epoch
        self.events: list[dict[str, Any]] = []
        self.down = False
        self.asked: list[dict[str, str]] = []

    def add(self, entity: str, id_: int, kind: str = "updated", *, time: str | None = None, **data: Any) -> dict[str, Any]:
        """One change more; `time` is hours and minutes, and after all others without it."""
        event = {
            "specversion": "1.0",
            "id": f"{self.epoch}.{self._newest + 1}",
            "source": self.source,
            "type": f"roster.{entity}.{kind}",
            "subject": f"{entity}/{id_}",
            "time": f"2026-11-22T{time or '23:59'}:00.{len(self.events):06}Z",
            "recordversion": 1,
            "actor": "account:1",
            "requestid": "r",
            "datacontenttype": "application/json",
            "data": None if kind == "deleted" else {"id": id_, **data},
        }
        self.events.append(event)
        return event

    def lose(self, seq: int) -> None:
        """As when a row of the log was lost: a change less, and the others keep their numbers."""
        self.events = [event for event in self.events if seq_of(event["id"]) != seq]

    def restore(self, epoch: str, keep: int) -> None:
        """As after a restore: the first events, in another epoch."""
        self.epoch = epoch
        self.events = [{**event, "id": f"{epoch}.{seq}"} for seq, event in enumerate(self.events[:keep], 1)]

    def answer(self, query: dict[str, str]) -> tuple[int, bytes]:
        """Status and body for a query."""
        self.asked.append(query)
        after = query.get("after")
        if self.down:
            return _refused(BadGateway("it is told to"))
        if query.get("last") == "true":
            return 200, msgspec.json.encode(self.events[-1:])
        if after is not None and (after.partition(".")[0] != self.epoch or seq_of(after) > self._newest):
            return _refused(Gone("another epoch"))
        start = bisect_right(self.events, seq_of(after), key=lambda event: seq_of(event["id"])) if after else 0
        return 200, msgspec.json.encode(self.events[start : start + int(query.get("limit", "100"))])

    @property
    def _newest(self) -> int:
        return seq_of(self.events[-1]["id"]) if self.events else 0


def _refused(problem: Problem) -> tuple[int, bytes]:
    return problem.status, msgspec.json.encode(problem.document("r", None))

"""What the gateway asks of both services' feeds, and what it reads of their events: it passes the rest on as it is."""

from typing import Any

from pact import match

from tools.contracts.pacts import BATCH, MOMENT, Exchange


def event(seq: int, entity: str, id_: int, kind: str) -> dict[str, Any]:
    """What is read of an event."""
    place = match.regex(f"e1.{seq}", regex=r"[0-9A-Za-z]+\.[0-9]+")
    return {"id": place, "type": f"roster.{entity}.{kind}", "subject": f"{entity}/{id_}", "time": MOMENT}


def feed(given: str, nothing: str, events: list[dict[str, Any]]) -> tuple[Exchange, ...]:
    """All that is asked of one service's feed: from its beginning, its end, that of a service where nothing has happened, a stranger's."""
    path = "/v1/changes"
    start, stale = {"wait": "0", "limit": "500"}, {"wait": "0", "limit": "500", "after": "e0.4"}
    return (
        Exchange(description="its feed from the beginning", given=given, path=path, query=start, answer=events, answer_type=BATCH),
        Exchange(description="the newest change", given=given, path=path, query={"last": "true"}, answer=events[-1:], answer_type=BATCH),
        Exchange(description="the newest of no changes", given=nothing, path=path, query={"last": "true"}, answer=[], answer_type=BATCH),
        Exchange(description="its feed after an event of before a restore", given=nothing, path=path, query=stale, status=410),
    )

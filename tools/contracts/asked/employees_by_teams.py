"""What the teams service asks of the employees service: its feed, read page by page, and each of its events."""

from typing import Any, Final

from pact import match

from tools.contracts.pacts import BATCH, IDENTIFIED, MOMENT, Exchange, Message

QUIET: Final = "nothing has happened yet"
STORY: Final = "ada, 1, and bob, 2, were hired; bob became inactive; ada has left"
ERASED: Final = "ada, 1, was hired, and erased"
RESTORED: Final = "the directory was restored"
AWAY: Final = "the database does not answer"
STRANGER: Final = "the teams service's key is not known"

EPOCH: Final = "e1"
"""The epoch of the feed in these states; cursors begin with it."""


def event(seq: int, kind: str, employee_id: int, data: Any) -> dict[str, Any]:
    """What is read of an event."""
    place = match.regex(f"{EPOCH}.{seq}", regex=r"[0-9A-Za-z]+\.[0-9]+")
    return {"id": place, "type": f"roster.employee.{kind}", "subject": f"employee/{employee_id}", "time": MOMENT, "data": data}


def state(employee_id: int, username: str, status: str) -> dict[str, Any]:
    """What is read of an employee."""
    return {"id": employee_id, "username": username, "status": status, "created_at": MOMENT}


HIRED: Final = event(1, "created", 1, state(1, "ada", "active"))
OTHER: Final = event(2, "created", 2, state(2, "bob", "active"))
INACTIVE: Final = event(3, "updated", 2, state(2, "bob", "inactive"))
LEFT: Final = event(4, "deleted", 1, None)


def asked(after: str | None, wait: int) -> dict[str, Any]:
    """A request for the feed."""
    query = {"wait": str(wait), "limit": "500"} | ({} if after is None else {"after": after})
    return {"path": "/v1/changes", "query": query, "sends": IDENTIFIED}


FROM_START: Final = Exchange(
    description="the feed from its beginning", given=STORY, answer=[HIRED, OTHER, INACTIVE, LEFT], answer_type=BATCH, **asked(None, 0)
)
FROM_CURSOR: Final = Exchange(
    description="the feed after an event", given=STORY, answer=[INACTIVE, LEFT], answer_type=BATCH, **asked(f"{EPOCH}.2", 0)
)
NO_NEWS: Final = Exchange(description="the feed when nothing is new", given=STORY, answer=[], answer_type=BATCH, **asked(f"{EPOCH}.4", 1))
NOTHING: Final = Exchange(description="the feed before anything has happened", given=QUIET, answer=[], answer_type=BATCH, **asked(None, 0))
BLANK: Final = {**event(2, "updated", 1, state(1, "erased-1", "inactive")), "erased": True}
"""Somebody's data were erased: of their past too there is but a blank."""

BLANKED: Final = Exchange(
    description="the feed of someone who was erased",
    given=ERASED,
    answer=[event(1, "created", 1, state(1, "erased-1", "active")), BLANK],
    answer_type=BATCH,
    **asked(None, 0),
)
GONE: Final = Exchange(description="the feed after an event from before a restore", given=RESTORED, status=410, **asked("e0.4", 0))
DATABASE_AWAY: Final = Exchange(description="the feed while the database is away", given=AWAY, status=503, **asked(None, 0))
NOT_TRUSTED: Final = Exchange(description="the feed, for a service that is not known", given=STRANGER, status=401, **asked(None, 0))

MESSAGES: Final = (
    Message(description="someone was hired", given=STORY, contents=HIRED),
    Message(description="someone became inactive", given=STORY, contents=INACTIVE),
    Message(description="someone has left", given=STORY, contents=LEFT),
    Message(description="someone was erased", given=ERASED, contents=BLANK),
)
EXCHANGES: Final = (FROM_START, FROM_CURSOR, NO_NEWS, NOTHING, BLANKED, GONE, DATABASE_AWAY, NOT_TRUSTED)
ALL: Final = (*EXCHANGES, *MESSAGES)

"""What the gateway asks of the employees service."""

from typing import Any, Final

from pact import match

from tools.contracts.asked import feeds_by_gateway
from tools.contracts.asked.logs_by_gateway import log_of
from tools.contracts.pacts import BATCH, ETAG, IDENTIFIED, MOMENT, OF_THEN, THEN, TRACE, Exchange, page, refused

NOBODY: Final = "nobody works here"
STAFF: Final = "ada, 1, leads bob, 2, and eve, 3, who is inactive"
CROWD: Final = "ada, 1, has 201 reports"
REPEATED: Final = "ada, 1, was made under the key k-1"
AWAY: Final = "the database does not answer"
STRANGER: Final = "the gateway's key is not known"
READER: Final = "the caller may only read"
LEFT: Final = "ada, 1, has left"
ADMIN: Final = "an admin asks; ada, 1, leads bob, 2, and eve, 3, who is inactive"

NAMED: Final = {"id": match.int(1), "username": match.str("ada")}
BOB: Final = {"id": match.int(2), "username": match.str("bob")}
PLACED: Final = {**NAMED, "status": match.regex("active", regex="active|inactive")}
TOP: Final = {**PLACED, "manager_id": None}
REPORT: Final = {**PLACED, **BOB, "manager_id": match.int(1)}

PERSON: Final = "/v1/employees/1"
ADA: Final = {"email": "ada@example.org", "username": "ada"}  # in the order of the file: a repeated request is the same bytes


def forwarded(**fields: Any) -> dict[str, Any]:
    """The headers of a request that is passed on, with the trace that every one of them has."""
    return {**IDENTIFIED, "traceparent": TRACE, "X-Request-ID": match.str("request-1"), **fields}


HEAD_OF_ALL: Final = Exchange(description="someone who has no manager", given=STAFF, path=PERSON, answer=TOP)
REPORTING: Final = Exchange(description="someone who has a manager", given=STAFF, path="/v1/employees/2", answer=REPORT)
INACTIVE: Final = Exchange(
    description="someone who is inactive", given=STAFF, path="/v1/employees/3", answer={**REPORT, "status": "inactive"}
)
UNKNOWN: Final = refused("someone who is not there", NOBODY, 404, path=PERSON)
REPORTS: Final = Exchange(
    description="the reports of someone", given=STAFF, path="/v1/employees/1/reports", query={"limit": "200"}, answer=page(REPORT)
)
NO_REPORTS: Final = Exchange(
    description="the reports of someone who has none",
    given=STAFF,
    path="/v1/employees/2/reports",
    query={"limit": "200"},
    answer={"items": [], "next": None},
)
LEVELS: Final = Exchange(
    description="everyone below someone, with their depth",
    given=STAFF,
    path="/v1/employees/1/reports",
    query={"depth": "2", "limit": "200"},
    answer=page({**REPORT, "depth": match.int(1)}),
)
MORE: Final = Exchange(
    description="more reports than a page holds",
    given=CROWD,
    path="/v1/employees/1/reports",
    query={"limit": "200"},
    answer=page(REPORT, match.str("the-place-of-the-next-page")),
)
BY_ID: Final = Exchange(
    description="employees by their ids", given=STAFF, path="/v1/employees", query={"id": "1", "limit": "1"}, answer=page(TOP)
)
BY_ID_THEN: Final = Exchange(
    description="employees by their ids, before there were any",
    given=STAFF,
    path="/v1/employees",
    query={"id": "1", "limit": "1", "as_of": THEN},
    headers=OF_THEN,
    answer={"items": [], "next": None},
)
NAMES: Final = Exchange(
    description="the username of an id",
    given=STAFF,
    path="/v1/employees",
    query={"id": "1", "fields": "id,username", "limit": "100"},
    answer=page(NAMED),
)
IDS: Final = Exchange(
    description="the ids of usernames",
    given=STAFF,
    path="/v1/employees",
    query={"username": "bob,zoe", "fields": "id,username", "limit": "100"},
    answer=page(BOB),
)
ONE_ID: Final = Exchange(
    description="the id of a username",
    given=STAFF,
    path="/v1/employees",
    query={"username": "bob", "fields": "id,username", "limit": "100"},
    answer=page(BOB),
)
FOUND: Final = Exchange(
    description="employees by a word", given=STAFF, path="/v1/employees", query={"q": "bob", "limit": "10"}, answer=page(REPORT)
)
STAFF_OF: Final = {"id": match.int(1), "status": "active", "version": match.int(1), "created_at": MOMENT}
OWNER: Final = Exchange(description="someone to whom an account belongs", given=STAFF, path=PERSON, answer=STAFF_OF)


def happened(seq: int, kind: str, data: Any) -> dict[str, Any]:
    """What is read of a change."""
    place = match.regex(f"e1.{seq}", regex=r"[0-9A-Za-z]+\.[0-9]+")
    return {"id": place, "type": f"roster.employee.{kind}", "subject": "employee/1", "time": MOMENT, "data": data}


def followed(after: str | None = None) -> dict[str, Any]:
    """A request for the feed."""
    return {"path": "/v1/changes", "query": {"wait": "0", "limit": "500"} | ({"after": after} if after else {})}


LEAVING: Final = Exchange(
    description="what has happened to those to whom accounts belong",
    given=LEFT,
    answer=[happened(1, "created", STAFF_OF), happened(2, "deleted", None)],
    answer_type=BATCH,
    **followed(),
)
GONE: Final = Exchange(description="what has happened, after an event from before a restore", given=LEFT, status=410, **followed("e0.4"))
NO_FEED: Final = Exchange(description="what has happened, while the database is away", given=AWAY, status=503, **followed())

FOLLOWED: Final = (LEAVING, GONE, NO_FEED)

DATABASE_AWAY: Final = refused("someone, while the database is away", AWAY, 503, path=PERSON, retry=True)
NOT_TRUSTED: Final = refused("someone, for a gateway that is not known", STRANGER, 401, path=PERSON)

CREATED: Final = Exchange(
    description="a new employee",
    given=NOBODY,
    method="POST",
    path="/v1/employees",
    sends=forwarded(),
    body=ADA,
    status=201,
    headers={**ETAG, "Location": match.regex(PERSON, regex="/v1/employees/[0-9]+")},
)
REPLAYED: Final = Exchange(
    description="a new employee again, under the same key",
    given=REPEATED,
    method="POST",
    path="/v1/employees",
    sends=forwarded(**{"Idempotency-Key": "k-1"}),
    body=ADA,
    status=201,
    headers={**ETAG, "Location": PERSON, "Idempotency-Replayed": "true"},
)
TAKEN: Final = refused(
    "a new employee with a username that is taken",
    STAFF,
    409,
    method="POST",
    path="/v1/employees",
    sends=forwarded(),
    body=ADA,
    fields=True,
)
FAULTY: Final = refused(
    "a new employee without an address",
    NOBODY,
    422,
    method="POST",
    path="/v1/employees",
    sends=forwarded(),
    body={"username": "ada"},
    fields=True,
)
FORBIDDEN: Final = refused("a new employee, from a reader", READER, 403, method="POST", path="/v1/employees", sends=forwarded(), body=ADA)
STALE: Final = refused(
    "a change to a version that is past",
    STAFF,
    412,
    method="PATCH",
    path=PERSON,
    sends=forwarded(**{"If-Match": '"77"'}),
    body={"title": "CTO"},
    body_type="application/merge-patch+json",
)
UNCHANGED: Final = Exchange(
    description="someone who has not changed",
    given=STAFF,
    path=PERSON,
    sends=forwarded(**{"If-None-Match": '"1"'}),
    status=304,
    headers=ETAG,
)
REPLACED: Final = Exchange(
    description="a change to the version that is there",
    given=STAFF,
    method="PATCH",
    path=PERSON,
    sends=forwarded(**{"If-Match": '"1"'}),
    body={"title": "CTO"},
    body_type="application/merge-patch+json",
    headers=ETAG,
)
DELETED: Final = Exchange(
    description="the end of someone who leads nobody", given=STAFF, method="DELETE", path="/v1/employees/2", sends=forwarded(), status=204
)
MANAGED: Final = refused("the end of someone who leads others", STAFF, 409, method="DELETE", path=PERSON, sends=forwarded())
ERASED: Final = Exchange(
    description="the erasure of someone who leads nobody",
    given=ADMIN,
    method="POST",
    path="/v1/employees/2/erase",
    sends=forwarded(),
    status=204,
)
ERASED_BY_NONE: Final = refused(
    "an erasure, by somebody who is no admin", STAFF, 403, method="POST", path="/v1/employees/2/erase", sends=forwarded()
)
TABLE: Final = Exchange(
    description="everyone as a table",
    given=STAFF,
    path="/v1/employees/export",
    query={"format": "csv"},
    sends=forwarded(),
    headers={
        "Content-Type": match.regex("text/csv; charset=utf-8", regex="text/csv.*"),
        "Content-Disposition": match.regex('attachment; filename="employees.csv"', regex="attachment.*"),
    },
)
LINKED: Final = Exchange(
    description="the first page of a list",
    given=STAFF,
    path="/v1/employees",
    query={"limit": "1"},
    sends=forwarded(),
    headers={"Link": match.regex('</v1/employees?limit=1&cursor=abc>; rel="next"', regex='<.*>; rel="next"')},
)
LOST: Final = refused(
    "a page behind a cursor that is none", STAFF, 400, path="/v1/employees", query={"cursor": "x"}, sends=forwarded(), fields=True
)

LOG: Final = log_of("employee", ADMIN)
FORWARDED: Final = (
    *(
        CREATED,
        REPLAYED,
        TAKEN,
        FAULTY,
        FORBIDDEN,
        STALE,
        UNCHANGED,
        REPLACED,
        DELETED,
        MANAGED,
        ERASED,
        ERASED_BY_NONE,
        TABLE,
        LINKED,
        LOST,
    ),
)
_EVENTS: Final = [
    *(feeds_by_gateway.event(seq, "employee", seq, "created") for seq in (1, 2, 3)),
    feeds_by_gateway.event(4, "employee", 3, "updated"),
]
FEED: Final = feeds_by_gateway.feed(STAFF, NOBODY, _EVENTS)
ALL: Final = (
    *FEED,
    *(
        HEAD_OF_ALL,
        REPORTING,
        INACTIVE,
        UNKNOWN,
        REPORTS,
        NO_REPORTS,
        LEVELS,
        MORE,
        BY_ID,
        BY_ID_THEN,
        NAMES,
        IDS,
        ONE_ID,
        FOUND,
        OWNER,
        DATABASE_AWAY,
        NOT_TRUSTED,
    ),
    *FOLLOWED,
    *LOG,
    *FORWARDED,
)

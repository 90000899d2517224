"""What the gateway asks of the teams service."""

from typing import Any, Final

from pact import match

from tools.contracts.asked import feeds_by_gateway
from tools.contracts.asked.employees_by_gateway import forwarded
from tools.contracts.asked.logs_by_gateway import log_of
from tools.contracts.pacts import ETAG, IDENTIFIED, NDJSON, OF_THEN, THEN, Exchange, page, refused

NONE: Final = "there are no teams"
TREE: Final = "company, 1, has the team core, 2; ada, 1, leads both and bob, 2, is in core"
EMPTY: Final = "company, 1, has no members"
LEFT: Final = "company, 1, is there, and employee 2 has left"
AWAY: Final = "the database does not answer"
READER: Final = "the caller may only read"
ADMIN: Final = "an admin asks; company, 1, has the team core, 2"

ROOT: Final = {"id": match.int(1), "slug": match.str("company"), "parent_id": None}
BRANCH: Final = {"id": match.int(2), "slug": match.str("core"), "parent_id": match.int(1)}
DAY: Final = match.regex("2024-01-31", regex="[0-9]{4}-[0-9]{2}-[0-9]{2}")
ROLE: Final = match.regex("lead", regex="lead|member")
PART: Final = {"team_id": match.int(2), "employee_id": match.int(1), "role": ROLE, "since": DAY}
NOTHING: Final[dict[str, Any]] = {"items": [], "next": None}
WRITING: Final = {**IDENTIFIED, "Content-Type": "application/json"}
PLACE: Final = "/v1/teams/1/members/2"

TOP: Final = Exchange(description="a team at the top", given=TREE, path="/v1/teams/1", answer=ROOT)
BELOW: Final = Exchange(description="a team below another", given=TREE, path="/v1/teams/2", answer=BRANCH)
UNKNOWN: Final = refused("a team that is not there", NONE, 404, path="/v1/teams/1")
MEMBERS: Final = Exchange(
    description="the members of a team", given=TREE, path="/v1/teams/2/members", query={"limit": "200"}, answer=page(PART)
)
NO_MEMBERS: Final = Exchange(
    description="the members of a team that is empty", given=EMPTY, path="/v1/teams/1/members", query={"limit": "200"}, answer=NOTHING
)
SUBTEAMS: Final = Exchange(
    description="the teams below a team", given=TREE, path="/v1/teams/1/subteams", query={"limit": "200"}, answer=page(BRANCH)
)
TEAMS_OF: Final = Exchange(
    description="the teams that someone is in",
    given=TREE,
    path="/v1/memberships",
    query={"employee_id": "1", "limit": "200"},
    answer=page(PART),
)
TEAMS_OF_THEN: Final = Exchange(
    description="the teams that someone was in, before there were any",
    given=TREE,
    path="/v1/memberships",
    query={"employee_id": "1", "limit": "200", "as_of": THEN},
    headers=OF_THEN,
    answer=NOTHING,
)
IN_NONE: Final = Exchange(
    description="the teams of someone who is in none",
    given=EMPTY,
    path="/v1/memberships",
    query={"employee_id": "1", "limit": "200"},
    answer=NOTHING,
)
BY_ID: Final = Exchange(
    description="teams by their ids", given=TREE, path="/v1/teams", query={"id": "2", "limit": "1"}, answer=page(BRANCH)
)
FOUND: Final = Exchange(
    description="teams by a word", given=TREE, path="/v1/teams", query={"q": "core", "limit": "10"}, answer=page(BRANCH)
)
DATABASE_AWAY: Final = refused("a team, while the database is away", AWAY, 503, path="/v1/teams/1", retry=True)

JOINED: Final = Exchange(
    description="someone new in a team",
    given=TREE,
    method="PUT",
    path=PLACE,
    sends=WRITING,
    body={"role": "lead"},
    status=201,
    headers={**ETAG, "Location": PLACE},
    answer=PART,
)
CHANGED: Final = Exchange(
    description="another role in a team",
    given=TREE,
    method="PUT",
    path="/v1/teams/2/members/2",
    sends={**WRITING, "If-Match": '"1"'},
    body={"role": "lead"},
    headers=ETAG,
    answer=PART,
)
STALE: Final = refused(
    "another role, of a version that is past",
    TREE,
    412,
    method="PUT",
    path="/v1/teams/2/members/2",
    sends={**WRITING, "If-Match": '"77"'},
    body={"role": "lead"},
)
NO_TEAM: Final = refused("someone in a team that is not there", NONE, 404, method="PUT", path=PLACE, sends=WRITING, body={"role": "lead"})
GONE: Final = refused(
    "someone who has left, in a team", LEFT, 422, method="PUT", path=PLACE, sends=WRITING, body={"role": "lead"}, fields=True
)
NO_ROLE: Final = refused(
    "someone in a role that there is not", TREE, 422, method="PUT", path=PLACE, sends=WRITING, body={"role": "boss"}, fields=True
)

IMPORTED: Final = Exchange(
    description="memberships as a table",
    given=TREE,
    method="POST",
    path="/v1/memberships/import",
    query={"atomic": "false", "dry_run": "false"},
    sends=IDENTIFIED,
    body=b'{"line":1,"employee_id":2,"team":"company"}\n{"line":2,"employee_id":2,"team":"absent"}\n',
    body_type=NDJSON,
    answer={
        **{name: match.int(1) for name in ("created", "updated", "unchanged", "refused")},
        "refusals": match.each_like({"line": match.int(2), "field": match.str("team"), "message": match.str("no such team")}, min=1),
    },
)
REFUSED_WHOLE: Final = Exchange(
    description="memberships as a table that is taken whole or not at all",
    given=TREE,
    method="POST",
    path="/v1/memberships/import",
    query={"atomic": "true", "dry_run": "false"},
    sends=IDENTIFIED,
    body=b'{"line":1,"employee_id":2,"team":"absent"}\n',
    body_type=NDJSON,
    status=422,
    answer=IMPORTED.answer,
    answer_type="application/problem+json",
)
EXPORTED: Final = Exchange(
    description="all memberships as lines",
    given=TREE,
    path="/v1/memberships/export",
    query={"format": "ndjson"},
    sends={**IDENTIFIED, "Accept": NDJSON},
    answer='{"team":"core","employee_id":1,"role":"lead","since":"2024-01-31"}\n',
    answer_type=NDJSON,
    patterns=(r'"team":"[a-z]+"', r'"employee_id":[0-9]+[,}]', r'"role":"(lead|member)"', r'"since":"[0-9]{4}-[0-9]{2}-[0-9]{2}"'),
)

TAKEN: Final = refused(
    "a new team under a name that is taken",
    TREE,
    409,
    method="POST",
    path="/v1/teams",
    sends=forwarded(),
    body={"slug": "core", "name": "Core"},
    fields=True,
)
CREATED: Final = Exchange(
    description="a new team",
    given=NONE,
    method="POST",
    path="/v1/teams",
    sends=forwarded(),
    body={"slug": "core", "name": "Core"},
    status=201,
    headers={**ETAG, "Location": match.regex("/v1/teams/1", regex="/v1/teams/[0-9]+")},
)
FORBIDDEN: Final = refused(
    "a new team, from a reader", READER, 403, method="POST", path="/v1/teams", sends=forwarded(), body={"slug": "core", "name": "Core"}
)
ENDED: Final = Exchange(
    description="the end of a membership", given=TREE, method="DELETE", path="/v1/teams/2/members/2", sends=forwarded(), status=204
)
PARENT: Final = refused("the end of a team that has others below it", TREE, 409, method="DELETE", path="/v1/teams/1", sends=forwarded())

LOG: Final = log_of("team", ADMIN)
FORWARDED: Final = (TAKEN, CREATED, FORBIDDEN, ENDED, PARENT)
_EVENTS: Final = [
    *(feeds_by_gateway.event(seq, "team", seq, "created") for seq in (1, 2)),
    *(feeds_by_gateway.event(seq + 2, "membership", seq, "created") for seq in (1, 2, 3)),
]
FEED: Final = feeds_by_gateway.feed(TREE, NONE, _EVENTS)
ALL: Final = (
    *FEED,
    *(TOP, BELOW, UNKNOWN, MEMBERS, NO_MEMBERS, SUBTEAMS, TEAMS_OF, TEAMS_OF_THEN, IN_NONE, BY_ID, FOUND, DATABASE_AWAY),
    *(JOINED, CHANGED, STALE, NO_TEAM, GONE, NO_ROLE, IMPORTED, REFUSED_WHOLE, EXPORTED),
    *LOG,
    *FORWARDED,
)

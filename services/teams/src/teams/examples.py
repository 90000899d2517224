"""One example of each operation, in an order that makes each true of a service that was empty before the first: tests send them."""

from typing import Any, Final

from shared.openapi import Example

_WHEN: Final = "2026-11-22T07:49:09.123456Z"
_TIMES: Final = {"created_at": _WHEN, "updated_at": _WHEN}
_NEW: Final[dict[str, Any]] = {"slug": "compilers", "name": "Compilers", "description": "From text to machines.", "parent_id": 1}
_TABLE: Final = """slug,name,parent
research,Research,
engines,Analytical engines,research
"""
_MEMBERS: Final = """team,employee_id,role,since
research,1,lead,2024-03-01
engines,2,member,2024-03-01
"""


def _team(team_id: int, slug: str, name: str, **fields: Any) -> dict[str, Any]:
    """A record as it is answered."""
    empty = dict.fromkeys(("description", "parent_id", "external_id"))
    return {"id": team_id, "slug": slug, "name": name, **empty, "version": 1, **_TIMES, **fields}


def _membership(membership_id: int, team_id: int, employee_id: int, role: str, **fields: Any) -> dict[str, Any]:
    ids = {"id": membership_id, "team_id": team_id, "employee_id": employee_id}
    return {**ids, "role": role, "since": "2024-03-01", "version": 1, **_TIMES, **fields}


def _change(entity: str, id_: int, version: int, kind: str) -> dict[str, Any]:
    """An entry of a history, but for what was changed."""
    who = {"actor": "account:1", "actor_name": "admin", "request_id": "0f28fbe15a35cdf45ce996ce293a9d60"}
    return {"at": _WHEN, **who, "entity": entity, "id": id_, "version": version, "kind": kind}


def _report(created: int) -> dict[str, Any]:
    return {"created": created, "updated": 0, "unchanged": 0, "refused": 0, "refusals": []}


_RESEARCH: Final = _team(1, "research", "Research")
_ENGINES: Final = _team(2, "engines", "Analytical engines", parent_id=1)
_COMPILERS: Final = _team(3, **_NEW)
_ADA: Final = _membership(1, 1, 1, "lead")
_GRACE: Final = _membership(2, 2, 2, "member")
_LINUS: Final = _membership(3, 3, 3, "member", since="2025-01-07")

EXAMPLES: Final = {
    "import_teams": Example(query={"atomic": True}, body=_TABLE, answer=_report(2)),
    "create_team": Example(headers={"Idempotency-Key": "add-compilers"}, body=_NEW, status=201, answer=_COMPILERS),
    "list_teams": Example(
        query={"sort": "name", "limit": 1, "count": True},
        answer={
            "items": [_ENGINES],
            "next": "kdoQaGhbIjUzZjkwMWQ1YmRhZDI2ZDkiLCJuYW1lIiwiNGY1M2NkYTE4YzJiYWEwYyIsImFuYWx5dGljYWwgZW5naW5lcyIsMl0",
            "total": 3,
        },
    ),
    "get_team": Example(path={"team_id": 3}, answer=_COMPILERS),
    "patch_team": Example(
        path={"team_id": 3},
        headers={"If-Match": '"1"'},
        body={"description": None},
        answer={**_COMPILERS, "description": None, "version": 2},
    ),
    "replace_team": Example(path={"team_id": 3}, body=_NEW, answer={**_COMPILERS, "version": 3}),
    "list_subteams": Example(
        path={"team_id": 1},
        query={"depth": 2},
        answer={"items": [{**_ENGINES, "depth": 1}, {**_COMPILERS, "version": 3, "depth": 1}], "next": None},
    ),
    "import_memberships": Example(body=_MEMBERS, answer=_report(2)),
    "put_member": Example(path={"team_id": 3, "employee_id": 3}, body={"role": "member", "since": "2025-01-07"}, status=201, answer=_LINUS),
    "get_member": Example(path={"team_id": 3, "employee_id": 3}, answer=_LINUS),
    "list_members": Example(path={"team_id": 2}, query={"role": "member"}, answer={"items": [_GRACE], "next": None}),
    "list_effective_members": Example(
        path={"team_id": 1},
        answer={
            "items": [
                {"employee_id": 1, "role": "lead", "paths": [["research"]]},
                {"employee_id": 2, "role": None, "paths": [["research", "engines"]]},
                {"employee_id": 3, "role": None, "paths": [["research", "compilers"]]},
            ],
            "next": None,
        },
    ),
    "list_memberships": Example(query={"employee_id": [1, 2]}, answer={"items": [_ADA, _GRACE], "next": None}),
    "list_team_history": Example(
        path={"team_id": 3},
        query={"limit": 2},
        answer={
            "items": [
                {
                    **_change("membership", 3, 1, "created"),
                    "employee_id": 3,
                    "changes": [{"field": "role", "old": None, "new": "member"}, {"field": "since", "old": None, "new": "2025-01-07"}],
                },
                {
                    **_change("team", 3, 3, "updated"),
                    "changes": [{"field": "description", "old": None, "new": _NEW["description"]}],
                },
            ],
            "next": "W3tLrKbmWyI1M2Y5MDFkNWJkYWQyNmQ5IiwiaGlzdG9yeSIsIjRlMDc0MDg1NjJiZWRiOGIiLDUsMF0",
        },
    ),
    "export_teams": Example(query={"format": "csv"}, answer="slug,name,description,parent,external_id\r\n", excerpt=True),
    "export_memberships": Example(query={"format": "csv"}, answer="team,employee_id,role,since\r\n", excerpt=True),
    "list_changes": Example(
        query={"limit": 1},
        answer=[
            {
                "specversion": "1.0",
                "id": "53f901d5bdad26d9.1",
                "source": "/teams",
                "type": "roster.team.created",
                "subject": "team/1",
                "time": _WHEN,
                "recordversion": 1,
                "actor": "account:1",
                "requestid": "0f28fbe15a35cdf45ce996ce293a9d60",
                "datacontenttype": "application/json",
                "data": _RESEARCH,
            }
        ],
    ),
    "list_audit": Example(
        query={"entity": "team/1", "from": "2026-11-22T00:00:00Z", "sort": "seq", "limit": 1},
        answer={
            "items": [
                {
                    "id": "53f901d5bdad26d9.1",
                    "seq": 1,
                    "at": _WHEN,
                    "entity": "team",
                    "entity_id": 1,
                    "version": 1,
                    "kind": "created",
                    "actor": "account:1",
                    "request_id": "0f28fbe15a35cdf45ce996ce293a9d60",
                    "digest": "6e7d3a1f7f1d6f2c3d5a2bb2f30c3aee0ba9a1d4a10c7f4b3a5be0f0a6f3b9d2",
                    "hash": "43f1b6c0e7d98c15a6cbb9de0a3f4a5b7f0f6c8e0e2a4b6d8f1a3c5e7092b4d6",
                }
            ],
            "next": None,
        },
    ),
    "verify_audit": Example(
        answer={
            "intact": True,
            "count": 1,
            "seq": 1,
            "hash": "43f1b6c0e7d98c15a6cbb9de0a3f4a5b7f0f6c8e0e2a4b6d8f1a3c5e7092b4d6",
            "fault": None,
        },
        excerpt=True,
    ),
    "delete_member": Example(path={"team_id": 3, "employee_id": 3}, status=204),
    "delete_team": Example(path={"team_id": 1}, query={"subteams": "delete"}, status=204),
}

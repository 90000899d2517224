"""One example of each of the gateway's own operations, true on the way through the services' examples: tests send them all."""

from typing import Any, Final

from shared.openapi import Example

_WHEN: Final = "2026-11-22T07:49:09.123456Z"
_TIMES: Final = {"created_at": _WHEN, "updated_at": _WHEN}
_PASSWORD: Final = "mind the analytical engine"  # noqa: S105 - an example
_NOBODY: Final = (
    "given_name family_name display_name title department division cost_center employee_number phone location manager_id hired_on left_on "
    "external_id"
)


def _employee(employee_id: int, username: str, **fields: Any) -> dict[str, Any]:
    same = {"id": employee_id, "username": username, "email": f"{username}@example.org", "status": "active", "version": 1}
    return {**dict.fromkeys(_NOBODY.split()), **same, **_TIMES, "department": "Research", **fields}


def _team(team_id: int, slug: str, name: str, **fields: Any) -> dict[str, Any]:
    return (
        {"id": team_id, "slug": slug, "name": name, "description": None, "parent_id": None, "external_id": None, "version": 1}
        | _TIMES
        | fields
    )


_NEW: Final = {"disabled": False, "employee_id": None, "oidc_subject": None, "version": 1, **_TIMES}
_ADMIN: Final = {"id": 1, "username": "admin", "role": "admin", **_NEW}
_ACCOUNT: Final = {"id": 2, "username": "ada", "role": "editor", **_NEW}
_SESSIONS: Final = {
    "items": [
        {
            "id": 7,
            "created_at": _WHEN,
            "last_seen_at": _WHEN,
            "until": "2026-11-22T19:49:09.123456Z",
            "user_agent": "curl/8.14.1",
            "current": True,
        }
    ],
    "next": None,
}
_TOKEN: Final = {
    "id": 1,
    "account_id": 1,
    "name": "nightly import",
    "scope": "write",
    "expires_at": "2099-12-31T23:00:00.000000Z",
    "last_used_at": None,
    "current": False,
    "version": 1,
    **_TIMES,
}
_SESSION: Final = {"account_id": 1, "username": "admin", "role": "admin", "since": _WHEN, "until": "2026-11-22T19:49:09.123456Z"}
_ADA: Final = _employee(1, "ada", display_name="Ada Lovelace", title="Head of research")
_GRACE: Final = _employee(2, "grace", display_name="Grace Hopper", title="Engineer", manager_id=1)
_LINUS: Final = _employee(3, "linus", display_name="Linus Torvalds", title="Engineer", manager_id=2)
_KATHERINE: Final = _employee(
    4, "katherine", display_name="Katherine Johnson", title="Mathematician", manager_id=1, hired_on="2024-03-01", version=3
)
_RESEARCH: Final = _team(1, "research", "Research")
_ENGINES: Final = _team(2, "engines", "Analytical engines", parent_id=1)
_INTACT: Final = {
    "intact": True,
    "count": 1,
    "seq": 1,
    "hash": "9f1a3c5e7092b4d643f1b6c0e7d98c15a6cbb9de0a3f4a5b7f0f6c8e0e2a4b6d",
    "fault": None,
}
_PART: Final = {"role": "member", "since": "2024-03-01"}
_TABLE: Final = """team,username,role,since
research,ada,lead,2024-03-01
engines,grace,member,2024-03-01
"""

_FIRST: Final = {
    "specversion": "1.0",
    "id": "42b7f747d40157af.1",
    "source": "/employees",
    "type": "roster.employee.created",
    "subject": "employee/1",
    "time": _WHEN,
    "recordversion": 1,
    "actor": "account:1",
    "requestid": "0f28fbe15a35cdf45ce996ce293a9d60",
    "datacontenttype": "application/json",
    "data": _ADA,
    "cursor": "42b7f747d40157af.1~-",
}
_HOOK: Final = {
    "id": 1,
    "url": "https://hooks.example.org/roster",
    "description": "Mailing lists",
    "entities": ["membership", "team"],
    "enabled": True,
    "reason": None,
    "version": 1,
    **_TIMES,
}
_SECRET: Final = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD5sSYspob7oE="  # noqa: S105 - an example
_DELIVERY: Final = {
    "id": 1,
    "message_id": "msg_9f3a52c1d0e84b76",
    "type": "roster.webhook.test",
    "subject": "webhook/1",
    "attempt": 1,
    "at": _WHEN,
    "delivered": False,
    "status": None,
    "error": "[Errno -2] Name or service not known",
    "duration_ms": 12,
}

EXAMPLES: Final = {
    "readyz": Example(
        answer={
            "status": "ready",
            "checks": {"database": "ok"},
            "details": {
                "employees": {"status": "following", "reason": None, "seconds_since_success": 0.3, "lag_seconds": 0.0},
                "webhooks": {"status": "standing by", "webhooks": 0, "failing": 0, "reason": None},
            },
        },
        excerpt=True,
    ),
    "log_in": Example(body={"username": "admin", "password": _PASSWORD}, answer=_SESSION),
    "begin_login": Example(query={"return_to": "/docs"}, status=404),  # what the examples are sent to has no provider
    "finish_login": Example(query={"state": "sbWzJeBvUqNd", "code": "q1HcT8kZ"}, status=404),
    "get_session": Example(answer=_SESSION),
    "list_sessions": Example(query={"limit": 20}, answer=_SESSIONS, excerpt=True),
    "end_session": Example(path={"session_id": 2}, status=204),
    "end_sessions": Example(status=204),
    "create_token": Example(
        headers={"Idempotency-Key": "for-the-nightly-import"},
        body={"name": "nightly import", "scope": "write", "expires_at": "2099-12-31T23:00:00Z"},
        status=201,
        answer={**_TOKEN, "token": "roster_Tm90IGEgdG9rZW4sIGJ1dCBvZiB0aGUgc2FtZSBs"},
        excerpt=True,
    ),
    "list_tokens": Example(query={"account_id": 1, "count": True}, answer={"items": [_TOKEN], "next": None, "total": 1}),
    "get_token": Example(path={"token_id": 1}, answer=_TOKEN),
    "revoke_token": Example(path={"token_id": 1}, status=204),
    "create_account": Example(
        headers={"Idempotency-Key": "let-ada-in"},
        body={"username": "ada", "password": "punched cards all over", "role": "editor"},
        status=201,
        answer=_ACCOUNT,
    ),
    "list_accounts": Example(query={"sort": "username", "count": True}, answer={"items": [_ACCOUNT, _ADMIN], "next": None, "total": 2}),
    "get_account": Example(path={"account_id": 2}, answer=_ACCOUNT),
    "patch_account": Example(
        path={"account_id": 2},
        headers={"If-Match": '"1"'},
        body={"role": "viewer", "employee_id": 1},
        answer={**_ACCOUNT, "role": "viewer", "employee_id": 1, "version": 2},
    ),
    "import_memberships": Example(
        query={"atomic": True}, body=_TABLE, answer={"created": 2, "updated": 0, "unchanged": 0, "refused": 0, "refusals": []}
    ),
    "put_member": Example(
        path={"team_id": 3, "employee_id": 3},
        body={"role": "member", "since": "2025-01-07"},
        status=201,
        answer={"id": 3, "team_id": 3, "employee_id": 3, "role": "member", "since": "2025-01-07", "version": 1, **_TIMES},
    ),
    "export_memberships": Example(query={"format": "csv"}, answer="team,username,role,since\r\n", excerpt=True),
    "expand_employee": Example(
        path={"employee_id": 2},
        query={"expand": ["manager", "teams", "reports"]},
        answer={
            **_GRACE,
            "manager": _ADA,
            "teams": {"items": [{**_PART, "team": _ENGINES}], "next": None},
            "reports": {"items": [{**_LINUS, "depth": 1}], "next": None},
        },
    ),
    "expand_team": Example(
        path={"team_id": 2},
        query={"expand": ["members", "parent", "subteams"]},
        answer={
            **_ENGINES,
            "members": {"items": [{"employee_id": 2, **_PART, "employee": _GRACE}], "next": None},
            "parent": _RESEARCH,
            "subteams": {"items": [], "next": None},
        },
    ),
    "search": Example(
        query={"q": "a", "limit": 5},
        answer={
            "employees": {"items": [{"type": "employee", **_ADA}], "next": None},
            "teams": {"items": [{"type": "team", **_ENGINES}], "next": None},
        },
    ),
    "org_chart": Example(
        query={"root": 1, "depth": 2},
        headers={"Prefer": "handling=strict"},
        answer={
            "levels": 2,
            "cut": False,
            "root": {
                **_ADA,
                "reports": [
                    {**_GRACE, "depth": 1, "reports": [{**_LINUS, "depth": 2, "reports": None}]},
                    {**_KATHERINE, "depth": 1, "reports": []},
                ],
            },
        },
    ),
    "change_password": Example(body={"current_password": _PASSWORD, "password": "the store and the mill"}, answer=_SESSION),
    "reset_password": Example(path={"account_id": 2}, body={"password": "cards with other holes"}, status=204),
    "list_audit": Example(
        query={"actor": "admin", "from": "2026-11-22T00:00:00Z", "limit": 1},
        answer={
            "items": [
                {
                    "id": "5d0c8b0a3f1e2d47.2",
                    "seq": 2,
                    "at": _WHEN,
                    "entity": "account",
                    "entity_id": 2,
                    "version": 1,
                    "kind": "created",
                    "actor": "account:1",
                    "request_id": "0f28fbe15a35cdf45ce996ce293a9d60",
                    "digest": "6e7d3a1f7f1d6f2c3d5a2bb2f30c3aee0ba9a1d4a10c7f4b3a5be0f0a6f3b9d2",
                    "hash": "9f1a3c5e7092b4d643f1b6c0e7d98c15a6cbb9de0a3f4a5b7f0f6c8e0e2a4b6d",
                    "service": "gateway",
                    "username": "admin",
                }
            ],
            "next": "p3dYTvPbIjVkMGM4YjBhM2YxZTJkNDciLCJhdWRpdCAtc2VxIl0",
        },
        excerpt=True,
    ),
    "export_audit": Example(
        query={"format": "csv"},
        answer="id,seq,at,entity,entity_id,version,kind,actor,request_id,digest,hash,service,username\r\n",
        excerpt=True,
    ),
    "verify_audit": Example(
        answer={"intact": True, "employees": _INTACT, "gateway": _INTACT, "teams": _INTACT},
        excerpt=True,
    ),
    "list_changes": Example(query={"after": "-~-", "entity": ["employee"], "limit": 1}, answer=[_FIRST]),
    "create_webhook": Example(
        headers={"Idempotency-Key": "tell-the-lists"},
        body={"url": _HOOK["url"], "description": "Mailing lists", "entities": ["team", "membership"]},
        status=201,
        answer={**_HOOK, "secret": _SECRET},
    ),
    "list_webhooks": Example(answer={"items": [_HOOK], "next": None}),
    "get_webhook": Example(path={"webhook_id": 1}, answer=_HOOK),
    "patch_webhook": Example(
        path={"webhook_id": 1},
        headers={"If-Match": '"1"'},
        body={"entities": ["team"], "enabled": True},
        answer={**_HOOK, "entities": ["team"], "version": 2},
    ),
    "rotate_webhook_secret": Example(path={"webhook_id": 1}, answer={"secret": _SECRET, "previous_until": _WHEN}),
    "test_webhook": Example(path={"webhook_id": 1}, answer=_DELIVERY, excerpt=True),
    "list_webhook_deliveries": Example(
        path={"webhook_id": 1}, query={"limit": 1}, answer={"items": [_DELIVERY], "next": None}, excerpt=True
    ),
    "delete_webhook": Example(path={"webhook_id": 1}, status=204),
    "log_out": Example(status=204),
}

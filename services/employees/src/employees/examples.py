"""One example of each operation, in an order that makes each true of a service that was empty before the first: tests send them."""

from typing import Any, Final

from shared.openapi import Example

_WHEN: Final = "2026-11-22T07:49:09.123456Z"
_NOBODY: Final[dict[str, Any]] = dict.fromkeys(
    [
        "id",
        "username",
        "email",
        "given_name",
        "family_name",
        "display_name",
        "title",
        "department",
        "division",
        "cost_center",
        "employee_number",
        "phone",
        "location",
        "manager_id",
        "status",
        "hired_on",
        "left_on",
        "external_id",
        "version",
        "created_at",
        "updated_at",
    ]
)


def _employee(employee_id: int, username: str, **fields: Any) -> dict[str, Any]:
    """A record as it is answered."""
    same = {"id": employee_id, "username": username, "email": f"{username}@example.org", "status": "active", "version": 1}
    return {**_NOBODY, **same, "created_at": _WHEN, "updated_at": _WHEN, **fields}


def _change(version: int) -> dict[str, Any]:
    """An update in the history of the employee 4, but for what it changed."""
    who = {"actor": "account:1", "actor_name": "admin", "request_id": "0f28fbe15a35cdf45ce996ce293a9d60"}
    return {"at": _WHEN, **who, "entity": "employee", "id": 4, "version": version, "kind": "updated"}


_NEW: Final[dict[str, Any]] = {
    "username": "katherine",
    "email": "katherine@example.org",
    "display_name": "Katherine Johnson",
    "title": "Mathematician",
    "department": "Research",
    "manager_id": 1,
    "hired_on": "2024-03-01",
}
_ADA: Final = _employee(1, "ada", display_name="Ada Lovelace", title="Head of research", department="Research")
_GRACE: Final = _employee(2, "grace", display_name="Grace Hopper", title="Engineer", department="Research", manager_id=1)
_LINUS: Final = _employee(3, "linus", display_name="Linus Torvalds", title="Engineer", department="Research", manager_id=2)
_KATHERINE: Final = _employee(4, **_NEW)
_TABLE: Final = """username,email,display_name,title,department,manager
ada,ada@example.org,Ada Lovelace,Head of research,Research,
grace,grace@example.org,Grace Hopper,Engineer,Research,ada
linus,linus@example.org,Linus Torvalds,Engineer,Research,grace
"""

EXAMPLES: Final = {
    "import_employees": Example(
        query={"atomic": True}, body=_TABLE, answer={"created": 3, "updated": 0, "unchanged": 0, "refused": 0, "refusals": []}
    ),
    "create_employee": Example(headers={"Idempotency-Key": "add-katherine"}, body=_NEW, status=201, answer=_KATHERINE),
    "list_employees": Example(
        query={"department": "research", "sort": "username", "limit": 2, "count": True},
        answer={
            "items": [_ADA, _GRACE],
            "next": "v0sqUzdbIjQyYjdmNzQ3ZDQwMTU3YWYiLCJ1c2VybmFtZSIsIjNhODhmYmQ5YzM5NDFiNDMiLCJncmFjZSIsMl0",
            "total": 4,
        },
    ),
    "get_employee": Example(path={"employee_id": 4}, answer=_KATHERINE),
    "patch_employee": Example(
        path={"employee_id": 4},
        headers={"If-Match": '"1"'},
        body={"title": "Lead mathematician", "phone": None},
        answer={**_KATHERINE, "title": "Lead mathematician", "version": 2},
    ),
    "replace_employee": Example(path={"employee_id": 4}, body=_NEW, answer={**_KATHERINE, "version": 3}),
    "list_reports": Example(
        path={"employee_id": 1},
        query={"depth": 2},
        answer={"items": [{**_GRACE, "depth": 1}, {**_KATHERINE, "version": 3, "depth": 1}, {**_LINUS, "depth": 2}], "next": None},
    ),
    "list_managers": Example(path={"employee_id": 3}, answer={"items": [{**_GRACE, "depth": 1}, {**_ADA, "depth": 2}], "next": None}),
    "list_employee_history": Example(
        path={"employee_id": 4},
        query={"limit": 2},
        answer={
            "items": [
                {**_change(3), "changes": [{"field": "title", "old": "Lead mathematician", "new": "Mathematician"}]},
                {**_change(2), "changes": [{"field": "title", "old": "Mathematician", "new": "Lead mathematician"}]},
            ],
            "next": "x7i8SZRPWyI0MmI3Zjc0N2Q0MDE1N2FmIiwiaGlzdG9yeSIsIjRiMjI3Nzc3ZDRkZDFmYzYiLDUsMF0",
        },
    ),
    "export_employees": Example(
        query={"format": "csv"},
        answer="id,username,email,given_name,family_name,display_name,title,department,division,cost_center,employee_number,phone,location,"
        "manager,manager_id,status,hired_on,left_on,external_id,version,created_at,updated_at\r\n",
        excerpt=True,
    ),
    "list_changes": Example(
        query={"limit": 1},
        answer=[
            {
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
            }
        ],
    ),
    "list_audit": Example(
        query={"entity": "employee/1", "from": "2026-11-22T00:00:00Z", "sort": "seq", "limit": 1},
        answer={
            "items": [
                {
                    "id": "42b7f747d40157af.1",
                    "seq": 1,
                    "at": _WHEN,
                    "entity": "employee",
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
    "erase_employee": Example(path={"employee_id": 4}, status=204),
    "delete_employee": Example(path={"employee_id": 4}, headers={"If-Match": '"4"'}, query={"reassign_reports_to": "none"}, status=204),
}

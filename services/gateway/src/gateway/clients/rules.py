"""The operations of the services that the gateway uses, as werkzeug rules under their owners' names.

A rule is an address, a policy (who may ask, how often, how long it may take, in which lane, whether the public reaches it straight
through), and all that the gateway itself uses of the operation. `tests/contract/test_links.py` proves every rule against the service
that owns it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from gateway.clients.answers import Employee, ExportedMembership, Head, Membership, Page, Person, Placed, Staff, StaffState, Team
from gateway.resilience import LaneName
from shared.audit import VERIFY_BUDGET, AuditCheck, AuditPage
from shared.feed import BUDGET
from shared.feedclient import ASKS, Event
from shared.operations import ADMIN, FEED, READ, WRITE, Limit, Policy
from shared.transfers import ImportReport

TRANSFER: Final = math.inf
"""The budget of imports and exports: they last as long as bytes move, unless the caller grants less."""

ERASING: Final = 300.0
"""Seconds that erasing someone may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One operation of a service.

    `public` rules are forwarded as they come. `detour` names a query parameter that only the gateway understands:
    a request that carries it is answered by the gateway's own operation on the same path.
    """

    name: str
    path: str
    method: str = "GET"
    allow: Policy = READ
    public: bool = True
    detour: str | None = None
    asks: tuple[str, ...] = ()
    """The query parameters that the gateway itself gives; `Upstream` gives no others."""
    sends: tuple[str, ...] = ()
    """The columns of a table that the gateway sends."""
    reads: tuple[Any, ...] = ()
    """What the gateway reads answers as, a row for a table; `Upstream.get` reads them as nothing else."""
    budget: float | None = None
    """Seconds; None means the deadline of ordinary requests, infinity none but that bytes move."""
    lane: LaneName = "requests"
    """With what it shares the places on the way to its service."""
    limit: Limit = Limit.CALLER


CHANGES: Final = Rule(
    name="list_changes",
    path="/v1/changes",
    allow=FEED,
    public=False,
    asks=(*ASKS, "last"),
    reads=(list[Head],),
    budget=BUDGET,
    lane="feeds",
)
"""The feed of a service: the public reads both as one, at the gateway, and clients of its own read it for that."""
AUDIT: Final = (
    Rule(
        name="list_audit",
        path="/v1/audit",
        allow=ADMIN,
        public=False,
        asks=("actor", "cursor", "entity", "from", "limit", "sort", "to"),
        reads=(AuditPage,),
    ),
    Rule(
        name="verify_audit",
        path="/v1/audit/verify",
        allow=ADMIN,
        public=False,
        asks=("head",),
        reads=(AuditCheck,),
        budget=VERIFY_BUDGET,
    ),
)
"""What every service has for its log."""

EMPLOYEES: Final = (
    Rule(
        name="list_employees",
        path="/v1/employees",
        asks=("as_of", "fields", "id", "limit", "q", "username"),
        reads=(Page[Employee], Page[Person]),
    ),
    Rule(name="create_employee", path="/v1/employees", method="POST", allow=WRITE),
    Rule(name="get_employee", path="/v1/employees/<int:employee_id>", detour="expand", asks=("as_of",), reads=(Employee, Staff)),
    Rule(name="replace_employee", path="/v1/employees/<int:employee_id>", method="PUT", allow=WRITE),
    Rule(name="patch_employee", path="/v1/employees/<int:employee_id>", method="PATCH", allow=WRITE),
    Rule(name="delete_employee", path="/v1/employees/<int:employee_id>", method="DELETE", allow=WRITE),
    Rule(name="erase_employee", path="/v1/employees/<int:employee_id>/erase", method="POST", allow=ADMIN, budget=ERASING),
    Rule(
        name="list_reports",
        path="/v1/employees/<int:employee_id>/reports",
        asks=("as_of", "cursor", "depth", "limit"),
        reads=(Page[Placed], Page[Employee]),
    ),
    Rule(name="list_managers", path="/v1/employees/<int:employee_id>/managers"),
    Rule(name="list_employee_history", path="/v1/employees/<int:employee_id>/history"),
    Rule(name="import_employees", path="/v1/employees/import", method="POST", allow=WRITE, budget=TRANSFER, lane="transfers"),
    Rule(name="export_employees", path="/v1/employees/export", budget=TRANSFER, lane="transfers"),
    replace(CHANGES, reads=(list[Head], list[Event[StaffState]])),
    *AUDIT,
)

TEAMS: Final = (
    CHANGES,
    Rule(name="list_teams", path="/v1/teams", asks=("as_of", "id", "limit", "q"), reads=(Page[Team],)),
    Rule(name="create_team", path="/v1/teams", method="POST", allow=WRITE),
    Rule(name="get_team", path="/v1/teams/<int:team_id>", detour="expand", asks=("as_of",), reads=(Team,)),
    Rule(name="replace_team", path="/v1/teams/<int:team_id>", method="PUT", allow=WRITE),
    Rule(name="patch_team", path="/v1/teams/<int:team_id>", method="PATCH", allow=WRITE),
    Rule(name="delete_team", path="/v1/teams/<int:team_id>", method="DELETE", allow=WRITE),
    Rule(name="list_members", path="/v1/teams/<int:team_id>/members", asks=("as_of", "limit"), reads=(Page[Membership],)),
    Rule(name="get_member", path="/v1/teams/<int:team_id>/members/<int:employee_id>"),
    Rule(name="put_member", path="/v1/teams/<int:team_id>/members/<int:employee_id>", method="PUT", allow=WRITE, public=False),
    Rule(name="delete_member", path="/v1/teams/<int:team_id>/members/<int:employee_id>", method="DELETE", allow=WRITE),
    Rule(name="list_subteams", path="/v1/teams/<int:team_id>/subteams", asks=("as_of", "limit"), reads=(Page[Team],)),
    Rule(name="list_effective_members", path="/v1/teams/<int:team_id>/effective-members"),
    Rule(name="list_memberships", path="/v1/memberships", asks=("as_of", "employee_id", "limit"), reads=(Page[Membership],)),
    Rule(name="list_team_history", path="/v1/teams/<int:team_id>/history"),
    Rule(name="import_teams", path="/v1/teams/import", method="POST", allow=WRITE, budget=TRANSFER, lane="transfers"),
    Rule(name="export_teams", path="/v1/teams/export", budget=TRANSFER, lane="transfers"),
    Rule(
        name="import_memberships",
        path="/v1/memberships/import",
        method="POST",
        allow=WRITE,
        public=False,
        asks=("atomic", "dry_run"),
        sends=("employee_id", "line", "role", "since", "team"),
        reads=(ImportReport,),
        budget=TRANSFER,
        lane="transfers",
    ),
    Rule(
        name="export_memberships",
        path="/v1/memberships/export",
        public=False,
        asks=("as_of", "format"),
        reads=(ExportedMembership,),
        budget=TRANSFER,
        lane="transfers",
    ),
    *AUDIT,
)

UPSTREAMS: Final[dict[str, tuple[Rule, ...]]] = {"employees": EMPLOYEES, "teams": TEAMS}


def public_rules() -> Iterator[tuple[str, Rule]]:
    """(upstream, rule) of everything that is forwarded."""
    for upstream, rules in UPSTREAMS.items():
        yield from ((upstream, rule) for rule in rules if rule.public)

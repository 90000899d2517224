"""What goes in and out of the merged log: every field with its bounds."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from shared.audit import AuditCheck, AuditFilters, AuditQuery, AuditRow
from shared.transfers import TableFormat

AuditService = Literal["employees", "gateway", "teams"]
_ACTOR = Meta(min_length=1, max_length=200, description="Who made the change: account:1, service:teams, or an account's username.")
NotedHead = Annotated[
    str,
    Meta(
        pattern=r"^(employees|gateway|teams)\.[0-9]{1,18}\.[0-9a-f]{64}(?!\n)$",
        max_length=100,
        description="service.seq.hash",
        extra={"expected": "a head noted before: service.seq.hash, of employees, gateway or teams"},
    ),
]


class MergedAuditQuery(AuditQuery, kw_only=True, forbid_unknown_fields=True):
    """Which changes of all logs, and which page of them, in the order of time: `-seq` is the newest first, `seq` the oldest."""

    actor: Annotated[str, _ACTOR] | None = None
    cursor: Annotated[str, Meta(min_length=1, max_length=2000)] | None = None


class AuditExport(AuditFilters, kw_only=True, forbid_unknown_fields=True):
    """Which changes of all logs, and how they are wanted."""

    actor: Annotated[str, _ACTOR] | None = None
    format: TableFormat | None = None


class MergedVerifyQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """What else must hold: heads that the logs have had."""

    head: Annotated[list[NotedHead], Meta(min_length=1, max_length=100)] | None = None


class AuditEntry(AuditRow, frozen=True):
    """A row of a service's log; `username` is that of the actor's account, where the actor is one."""

    service: AuditService
    username: Annotated[str, Meta(max_length=2000)] | None


class AuditList(Struct, kw_only=True):
    """A page of all logs."""

    items: Annotated[list[AuditEntry], Meta(max_length=200)]
    next: Annotated[str, Meta(max_length=2000)] | None


class AuditChecks(Struct, kw_only=True):
    """What became of the verification of each log."""

    intact: bool
    employees: AuditCheck
    gateway: AuditCheck
    teams: AuditCheck

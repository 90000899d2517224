"""Where the logs are: two services are asked, and the gateway's own is in its database."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from gateway.audit.merged import Rows, Sort, Source
from gateway.clients import Ask, Upstream
from gateway.feed import OWNERS
from gateway.models import log
from gateway.store.accounts import ACCOUNTS
from gateway.store.tokens import TOKENS
from gateway.views.parts import Parts, Plan
from gateway.webhooks.store import RECORDS as WEBHOOKS
from shared.audit import Asked, Audit, AuditCheck, AuditPage, AuditRow, unknown_entity
from shared.db import Database

SERVICES: Final = ("employees", "gateway", "teams")
AUDIT: Final = Audit(log, [ACCOUNTS, TOKENS, WEBHOOKS], ["password", "session", "webhook_secret"])
LOG_OF: Final[Mapping[str, str]] = {**OWNERS, **dict.fromkeys(AUDIT.entities, "gateway")}
"""Whose log tells of which records."""
LOGS: Final = Plan(required=frozenset(SERVICES))
CALL: Final = 10.0
"""Seconds for a page of a log, where the whole has no limit."""


def sources(upstreams: Sequence[Upstream], db: Database, ask: Ask, asked: Asked) -> Mapping[str, Source]:
    """The rows that are asked for, of each log that may have some. Raises BadRequest naming `entity`."""
    if asked.entity is not None and asked.entity not in LOG_OF:
        raise unknown_entity(LOG_OF)
    every = {"gateway": _own(db, asked), **{upstream.name: source(upstream, ask, asked) for upstream in upstreams}}
    return every if asked.entity is None else {LOG_OF[asked.entity]: every[LOG_OF[asked.entity]]}


async def checked(upstreams: Sequence[Upstream], db: Database, ask: Ask, noted: Sequence[str]) -> dict[str, AuditCheck]:
    """Every log, verified by its service at the same time; `noted` are heads as `employees.12.<hash>`. Raises Problem."""
    heads: dict[str, list[str]] = {name: [] for name in SERVICES}
    for text in noted:
        service, _, head = text.partition(".")
        heads[service].append(head)

    async def theirs(upstream: Upstream) -> AuditCheck:
        query = {"head": heads[upstream.name]} if heads[upstream.name] else None
        return (await upstream.get(ask, "verify_audit", AuditCheck, query))[1]

    async with Parts(LOGS, strict=True) as parts:
        tasks = {upstream.name: parts.ask(upstream.name, theirs(upstream)) for upstream in upstreams}
        tasks["gateway"] = parts.ask("gateway", AUDIT.check(db, heads["gateway"]))
    return {name: tasks[name].result() for name in SERVICES}


def _own(db: Database, asked: Asked) -> Source:
    async def page(sort: Sort, cursor: str | None, limit: int) -> Rows:
        found = await AUDIT.page(db, asked, sort=sort, cursor=cursor, limit=limit)
        return [AuditRow(*row) for row in found.rows], found.next

    return page


def source(upstream: Upstream, ask: Ask, asked: Asked) -> Source:
    """The rows that are asked for, of a service's log."""
    entity = asked.entity if asked.entity_id is None else f"{asked.entity}/{asked.entity_id}"
    filters = {"actor": asked.actor, "entity": entity, "from": asked.since, "to": asked.until}

    async def page(sort: Sort, cursor: str | None, limit: int) -> Rows:
        query = {name: value for name, value in {**filters, "sort": sort, "cursor": cursor, "limit": limit}.items() if value is not None}
        soon = ask if ask.deadline is not None else replace(ask, deadline=asyncio.get_running_loop().time() + CALL)
        _, found = await upstream.get(soon, "list_audit", AuditPage, query)
        return found.items, found.next

    return page

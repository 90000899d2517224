"""What a view may ask about the request that it serves."""

from typing import TYPE_CHECKING, Any, cast

from quart import current_app, g, request

from shared.changes import Author
from shared.exchange import Exchange, exchange_of
from shared.idempotency import IdempotencyKey
from shared.identity import Caller

if TYPE_CHECKING:
    from shared.db import Database, Reader
    from shared.timeline import Timeline


def caller() -> Caller:
    """Who asks; set before the view runs."""
    return cast("Caller", g.caller)


def exchange() -> Exchange:
    """The record of this request: request id, trace, deadline."""
    return exchange_of(cast("Any", request.scope))


def author() -> Author:
    """Who and what a change is written down to."""
    who = caller()
    return Author(actor=who.subject, request_id=exchange().request_id, name=who.name)


async def idempotency_key() -> IdempotencyKey | None:
    """The Idempotency-Key of this request with who asks for what, None when it has none. Raises Invalid for a malformed one."""
    asked = exchange()
    key = asked.headers.get(b"idempotency-key")
    if key is None:
        return None
    target = request.path + "?" + request.query_string.decode("latin-1")
    return IdempotencyKey.of(caller().subject, asked.operation, key.decode("latin-1"), target, await request.body)


def request_id() -> str:
    return exchange().request_id


def database() -> "Database":
    """The service's database, put there by its `create_app`."""
    return cast("Database", current_app.extensions["db"])


def reader() -> "Reader":
    """What a view that is `timed` reads: the service's database, or how it was at the instant that the query asks for."""
    found = g.get("reader")
    return database() if found is None else cast("Reader", found)


def timeline() -> "Timeline":
    """The instants of the service's log, put there by `shared.lifecycle.keep_database`."""
    return cast("Timeline", current_app.extensions["timeline"])

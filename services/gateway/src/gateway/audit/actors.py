"""Accounts behind the actors of a log, `account:1`."""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import bindparam, select

from gateway.models import accounts
from shared.db import Database, Query, any_of
from shared.errors import BadRequest
from shared.words import fold

PREFIX: Final = "account:"
_NAMES: Final = Query(select(accounts.c.id, accounts.c.username).where(any_of(accounts.c.id, "ids")))
_ID: Final = Query(select(accounts.c.id).where(accounts.c.username_key == bindparam("username_key")))


async def usernames(db: Database, actors: Iterable[str]) -> dict[str, str]:
    """The usernames of those actors that are accounts."""
    ids = {int(digits) for actor in actors if (digits := actor.removeprefix(PREFIX)).isdecimal() and actor != digits and len(digits) < 19}
    return {f"{PREFIX}{id_}": name for id_, name in await db.all(_NAMES, ids=sorted(ids))} if ids else {}


async def account_of(db: Database, actor: str | None) -> str | None:
    """An actor as logs name it; without a colon it is an account's username. Raises BadRequest when there is no such account."""
    if actor is None or ":" in actor:
        return actor
    row = await db.one(_ID, username_key=fold(actor))
    if row is None:
        raise BadRequest.of("actor", "is no account's username; others are written as account:1 or service:teams")
    return f"{PREFIX}{row[0]}"

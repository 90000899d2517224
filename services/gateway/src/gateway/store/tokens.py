"""Tokens of programs: what they may do is a record; what they look like is a digest beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import bindparam, func, insert, select, update

from gateway.models import accounts, log, token_digests, tokens, tokens_versions
from gateway.store import Unit
from shared.changes import Author
from shared.db import Connection, Database, Query, any_of
from shared.errors import Conflict, NotFound
from shared.pages import Clause, Listing, Page, Sort
from shared.records import Records

MOST: Final = 100
"""Tokens of an account."""

FIELDS: Final = ("id", "account_id", "name", "scope", "expires_at", "last_used_at", "version", "created_at", "updated_at")

TOKENS: Final = Records("token", tokens, tokens_versions, log)
_shown: Final = select(*(token_digests.c.used_at.label(name) if name == "last_used_at" else tokens.c[name] for name in FIELDS)).join_from(
    tokens, token_digests, token_digests.c.token_id == tokens.c.id
)


def _of_scopes(scopes: Sequence[str]) -> Clause:
    return Clause("scopes", any_of(tokens.c.scope, "scopes"), {"scopes": list(scopes)})


LISTING: Final = Listing(
    _shown,
    tokens.c.id,
    sorts={"id": Sort(tokens.c.id)},
    filters={"account_id": tokens.c.account_id == bindparam("account_id"), "scopes": _of_scopes},
)
_TOKEN: Final = Query(_shown.where(tokens.c.id == bindparam("id")))
_FIND: Final = Query(
    select(
        tokens.c.id,
        tokens.c.account_id,
        tokens.c.scope,
        tokens.c.created_at,
        tokens.c.expires_at,
        token_digests.c.used_at,
        accounts.c.username,
        accounts.c.role,
        accounts.c.disabled,
    )
    .join_from(token_digests, tokens, tokens.c.id == token_digests.c.token_id)
    .join(accounts, accounts.c.id == tokens.c.account_id)
    .where(token_digests.c.digest == bindparam("digest"))
)
_of_account: Final = tokens.c.account_id == bindparam("account_id")
_COUNT: Final = Query(select(func.count()).select_from(tokens).where(_of_account))
_EXPIRED: Final = Query(select(tokens.c.id).where(_of_account, tokens.c.expires_at <= bindparam("at")).order_by(tokens.c.id))
_ADD_DIGEST: Final = Query(insert(token_digests))
_USED: Final = Query(update(token_digests).where(token_digests.c.digest == bindparam("of")).values(used_at=bindparam("at")))


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token and its account."""

    id: int
    account_id: int
    scope: str
    created_at: str
    expires_at: str | None
    used_at: str | None
    username: str
    role: str
    disabled: bool


async def find_token(db: Database, digest: str) -> TokenRow | None:
    """The token of a digest, expired ones and those of disabled accounts included; None when it was revoked."""
    row = await db.one(_FIND, digest=digest)
    return TokenRow(*row) if row else None


async def get_token(db: Database, token_id: int) -> dict[str, Any]:
    """A token as it is shown. Raises NotFound."""
    row = await db.one(_TOKEN, id=token_id)
    if row is None:
        raise unknown(token_id)
    return dict(zip(FIELDS, row, strict=True))


async def list_tokens(
    db: Database, account_id: int, scopes: Sequence[str], *, sort: str, cursor: str | None, limit: int, count: bool
) -> Page:
    """A page of an account's tokens of these scopes."""
    return await LISTING.page(db, {"account_id": account_id, "scopes": scopes}, sort=sort, cursor=cursor, limit=limit, count=count)


def add_token(conn: Connection, values: Mapping[str, Any], digest: str, author: Author, *, at: str) -> dict[str, Any]:
    """Add a token (account_id, name, scope, expires_at), and give it as it is shown; those of the account that have expired by then go.

    Raises Conflict for an account that has as many as it may.
    """
    sweep(conn, values["account_id"], author, at=at)
    if conn.all(_COUNT, account_id=values["account_id"])[0][0] >= MOST:
        raise Conflict(f"This account has {MOST} tokens, and no more are possible: revoke one that is not used any more.")
    token = TOKENS.add(conn, values, author)
    conn.run(_ADD_DIGEST, digest=digest, token_id=token["id"], used_at=None)
    return {name: token.get(name) for name in FIELDS}


def revoke_token(conn: Connection, token_id: int, author: Author) -> None:
    """The token goes, and what it looked like with it. Raises NotFound."""
    found = TOKENS.get(conn, token_id)
    if found is None:
        raise unknown(token_id)
    TOKENS.remove(conn, found, author)


def sweep(conn: Connection, account_id: int, author: Author, *, at: str) -> None:
    """Whatever tokens of an account have expired by then go."""
    for (token_id,) in conn.all(_EXPIRED, account_id=account_id, at=at):
        revoke_token(conn, token_id, author)


def note_used(digest: str, at: str) -> Unit:
    """When the token was last used."""
    return lambda conn: conn.run(_USED, of=digest, at=at)


def unknown(token_id: int) -> NotFound:
    """For a token that is not there, or that the caller may not see."""
    return NotFound(f"There is no token {token_id}.")

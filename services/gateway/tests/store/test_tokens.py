"""Tokens in the database."""

from typing import Any

import pytest
from sqlalchemy import text

from gateway.models import log
from gateway.store import tokens
from shared.changes import Author
from shared.db import Connection, Database, Query
from shared.errors import Conflict, NotFound
from shared.verification import verify

AUTHOR = Author("account:1", "request-1")
AT = "2026-11-22T08:00:00.000000Z"
DIGESTS = Query(text("SELECT digest FROM token_digests ORDER BY digest"))


async def make(db: Database, account_id: int, digest: str, scope: str = "read", expires_at: str | None = None) -> dict[str, Any]:
    values = {"account_id": account_id, "name": digest, "scope": scope, "expires_at": expires_at}
    return await db.write(lambda conn: tokens.add_token(conn, values, digest, AUTHOR, at=AT))


async def test_a_token_is_found_by_its_digest_until_it_is_revoked(db: Database, add: Any) -> None:
    account = await add(role="editor")
    made = await make(db, account.id, "a", "write", AT)
    assert await tokens.get_token(db, made["id"]) == made
    found = await tokens.find_token(db, "a")
    assert found == tokens.TokenRow(made["id"], account.id, "write", made["created_at"], AT, None, "ada", "editor", disabled=False)
    await db.write(tokens.note_used("a", AT))
    assert (await tokens.get_token(db, made["id"]))["last_used_at"] == AT

    def revoke(conn: Connection) -> None:
        tokens.revoke_token(conn, made["id"], AUTHOR)

    await db.write(revoke)
    assert await tokens.find_token(db, "a") is None
    assert await db.all(DIGESTS) == []
    for again in (db.write(revoke), tokens.get_token(db, made["id"])):
        with pytest.raises(NotFound):
            await again
    assert (await make(db, account.id, "b"))["id"] == made["id"] + 1, "an id is never given again"
    assert (await verify(db, log)).seq == 4


async def test_the_list_is_of_one_account_and_some_scopes(db: Database, add: Any) -> None:
    ada, bob = await add(), await add("bob")
    for account, digest, scope in ((ada, "a", "read"), (ada, "b", "write"), (ada, "c", "admin"), (bob, "d", "read")):
        await make(db, account.id, digest, scope)

    async def listed(account_id: int, *scopes: str) -> list[str]:
        page = await tokens.list_tokens(db, account_id, scopes, sort="id", cursor=None, limit=10, count=True)
        assert page.total == len(page.rows)
        return [item["name"] for item in page.items()]

    assert await listed(ada.id, "read", "write", "admin") == ["a", "b", "c"]
    assert await listed(ada.id, "read") == ["a"]
    assert await listed(bob.id, "read", "write") == ["d"]


async def test_expired_tokens_of_the_account_make_room_and_others_do_not(db: Database, add: Any) -> None:
    ada, bob = await add(), await add("bob")
    await make(db, bob.id, "expired, and another's", expires_at=AT)
    kept = [await make(db, ada.id, f"kept {number}") for number in range(tokens.MOST - 2)]
    await make(db, ada.id, "expired", expires_at=AT)
    await make(db, ada.id, "expires later", expires_at="2026-11-22T08:00:00.000001Z")
    assert await tokens.find_token(db, "expired") is None
    await make(db, ada.id, "the last")
    with pytest.raises(Conflict, match="100 tokens"):
        await make(db, ada.id, "one too many")
    assert await tokens.find_token(db, "one too many") is None
    assert await tokens.find_token(db, "expired, and another's") is not None
    await db.write(lambda conn: tokens.revoke_token(conn, kept[0]["id"], AUTHOR))
    await make(db, ada.id, "again")
    assert (await verify(db, log)).seq == 2 + tokens.MOST + 5

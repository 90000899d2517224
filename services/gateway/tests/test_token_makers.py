"""Tokens: who makes them, and how many."""

import asyncio
from functools import partial
from typing import Any

import pytest
from sqlalchemy import text

from gateway.models import log
from gateway.store import accounts
from gateway.store.tokens import MOST
from shared.changes import Author
from shared.db import Query
from shared.verification import verify

PASSWORD = "correct battery staple horse"
PATIENT = {"X-Request-Timeout-Ms": "10000"}  # on a busy machine hashes take their time
SOON = 1_800_000_000 + 3600
SOON_TEXT = "2027-01-15T09:00:00Z"


async def make(browser: Any, **fields: Any) -> Any:
    answer = await browser("POST", "/v1/tokens", json={"name": "program", "scope": "read", **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()


def bearer(made: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {made['token']}"}


async def test_basic_credentials_make_a_token_without_a_session(house: Any) -> None:
    browser = house.browser()
    body = {"name": "first", "scope": "write", "expires_at": SOON_TEXT}
    answer = await browser("POST", "/v1/tokens", json=body, auth=("editor", PASSWORD))
    assert answer.status_code == 201
    assert "set-cookie" not in answer.headers
    assert answer.json()["expires_at"] == "2027-01-15T09:00:00.000000Z"
    for user, password in (("editor", "wrong"), ("nobody", PASSWORD)):
        refused = await browser("POST", "/v1/tokens", json=body, auth=(user, password))
        assert (refused.status_code, refused.json()["type"]) == (401, "urn:roster:problem:wrong-credentials")
    assert (await browser("POST", "/v1/tokens", json=body)).status_code == 401
    unknown = await browser("POST", "/v1/tokens", json=body, headers={"Authorization": "Bearer roster_x"})
    assert (unknown.status_code, unknown.json()["detail"].startswith("The token is unknown")) == (401, True)
    assert (await browser("POST", "/v1/tokens", json={**body, "scope": "admin"}, auth=("editor", PASSWORD))).status_code == 422


@pytest.mark.parametrize(
    ("expires_at", "said"),
    [
        ("2027-01-15T09:00:00", "its offset"),
        ("0001-01-01T00:00:00+14:00", "is past"),
        ("9999-12-31T23:59:59Z", "the year 9999"),
        ("9999-12-31T23:59:59-12:00", "the year 9999"),
    ],
)
async def test_why_a_token_can_not_end_then_is_said(viewer: Any, expires_at: str, said: str) -> None:
    answer = await viewer("POST", "/v1/tokens", json={"name": "x", "scope": "read", "expires_at": expires_at})
    assert said in answer.json()["errors"][0]["message"]


async def test_wrong_fields_are_named(house: Any, editor: Any) -> None:
    table: list[tuple[dict[str, Any], str]] = [
        *(({"name": name}, "name") for name in ("", "x" * 101, " a", "a\nb", "a\n")),
        ({"scope": "root"}, "scope"),
        ({"scope": "admin"}, "scope"),
        ({"expires_at": "tomorrow"}, "expires_at"),
        ({"expires_at": "2027-01-15T09:00:00"}, "expires_at"),
        ({"expires_at": "2020-01-15T09:00:00Z"}, "expires_at"),
        ({"expires_at": "9999-12-31T23:59:59-12:00"}, "expires_at"),
        ({"expires_at": "0001-01-01T00:00:00+14:00"}, "expires_at"),
        ({"expires_at": 7}, "expires_at"),
        ({"token": "roster_mine"}, "token"),
        ({"account_id": 3}, "account_id"),
    ]
    for change, field in table:
        answer = await editor("POST", "/v1/tokens", json={"name": "x", "scope": "read", **change})
        assert (answer.status_code, [one["field"] for one in answer.json()["errors"]]) == (422, [field]), change
    assert (await editor.get("/v1/tokens?count=true")).json()["total"] == 0


@pytest.mark.parametrize("scope", ["read", "write", "admin"])
async def test_a_token_makes_no_tokens(house: Any, admin: Any, scope: str) -> None:
    """What it had made would go on when it is revoked."""
    shown = bearer(await make(admin, scope=scope))
    for cookie in ({}, {"Cookie": f"__Host-session={admin.cookie}"}):
        answer = await house.browser()("POST", "/v1/tokens", json={"name": "x", "scope": "read"}, headers={**shown, **cookie})
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:roster:problem:forbidden")
        assert answer.json()["detail"].startswith("A token makes no tokens")
    assert (await admin.get("/v1/tokens?count=true")).json()["total"] == 1


async def given_another_password(house: Any, admin: Any) -> None:
    """As another process does that has made its hash already."""
    await house.app.extensions["db"].write(partial(accounts.set_password, account_id=2, password_hash="?", author=Author("gateway", "r")))


async def disabled(house: Any, admin: Any) -> None:
    assert (await admin("PATCH", "/v1/accounts/2", json={"disabled": True})).status_code == 200


async def demoted(house: Any, admin: Any) -> None:
    assert (await admin("PATCH", "/v1/accounts/2", json={"role": "viewer"})).status_code == 200


@pytest.mark.parametrize("change", [given_another_password, disabled, demoted])
async def test_no_token_is_made_by_a_password_that_was_right_a_moment_ago(house: Any, admin: Any, change: Any) -> None:
    """Passwords take long to check, and while these wait for each other, the account is another one."""
    body = {"name": "late", "scope": "write"}
    asked = [
        asyncio.create_task(house.browser()("POST", "/v1/tokens", json=body, auth=("editor", PASSWORD), headers=PATIENT)) for _ in range(10)
    ]
    await asyncio.sleep(0.02)
    await change(house, admin)
    answers = [(one.status_code, one.json().get("type")) for one in await asyncio.gather(*asked)]
    assert set(answers) <= {(201, None), (401, "urn:roster:problem:wrong-credentials"), (422, "urn:roster:problem:invalid")}, answers
    db = house.app.extensions["db"]
    entered = await db.all(Query(text("SELECT entity FROM changes WHERE entity IN ('account', 'token') AND seq > 3 ORDER BY seq")))
    assert entered[-1] == ("account",), "a token was made after the change"


async def test_no_token_is_made_by_a_session_that_has_ended_elsewhere(settings: Any, open_house: Any) -> None:
    """Within the second in which another process would still let it in: what is made must not outlive it."""
    async with open_house(settings) as first, open_house(settings, first.clock) as second:
        browser, copied = await first.browser().log_in("viewer"), second.browser()
        copied.cookie = browser.cookie
        assert (await copied.get("/v1/session")).status_code == 200
        await browser("DELETE", "/v1/session")
        answer = await copied("POST", "/v1/tokens", json={"name": "x", "scope": "read"})
        assert (answer.status_code, answer.json()["type"]) == (401, "urn:roster:problem:not-logged-in")
        again = await first.browser().log_in("viewer")
        assert (await again.get("/v1/tokens?count=true")).json()["total"] == 0


async def test_a_repeated_creation_is_one_and_tells_the_token_once(house: Any, viewer: Any) -> None:
    headers, body = {"Idempotency-Key": "one"}, {"name": "x", "scope": "read"}
    first = await viewer("POST", "/v1/tokens", json=body, headers=headers)
    again = await viewer("POST", "/v1/tokens", json=body, headers=headers)
    assert again.json() == {**first.json(), "token": None}
    assert again.headers["idempotency-replayed"] == "true"
    assert (await viewer("POST", "/v1/tokens", json={**body, "name": "y"}, headers=headers)).status_code == 422
    assert (await viewer.get("/v1/tokens?count=true")).json()["total"] == 1


async def test_an_account_has_a_hundred_tokens_at_most_and_expired_ones_go(house: Any, viewer: Any, editor: Any) -> None:
    soon = await make(viewer, expires_at=SOON_TEXT)
    await asyncio.gather(*(make(viewer, name=f"n{number}") for number in range(MOST - 1)))
    body = {"name": "one more", "scope": "read"}
    full = await viewer("POST", "/v1/tokens", json=body)
    assert (full.status_code, full.json()["type"]) == (409, "urn:roster:problem:conflict")
    assert "has 100 tokens" in full.json()["detail"]
    assert (await editor("POST", "/v1/tokens", json=body)).status_code == 201, "another account"
    one = (await viewer.get("/v1/tokens?limit=2")).json()["items"][1]
    assert (await viewer("DELETE", f"/v1/tokens/{one['id']}")).status_code == 204
    assert (await viewer("POST", "/v1/tokens", json=body)).status_code == 201
    house.clock.now = SOON + 0.5
    again = await house.browser().log_in("viewer")
    assert (await again.get(f"/v1/tokens/{soon['id']}")).status_code == 404, "it has expired, and somebody has logged in"
    assert (await again("POST", "/v1/tokens", json=body)).status_code == 201
    assert (await again("POST", "/v1/tokens", json=body)).status_code == 409
    assert (await verify(house.app.extensions["db"], log)).seq > MOST, "what went is in the log"


async def test_expired_tokens_make_room_for_others(house: Any, viewer: Any) -> None:
    await asyncio.gather(*(make(viewer, expires_at=SOON_TEXT) for _ in range(MOST)))
    house.clock.now = SOON + 0.5
    patient = {"headers": PATIENT, "auth": ("viewer", PASSWORD)}
    made = await house.browser()("POST", "/v1/tokens", json={"name": "x", "scope": "read"}, **patient)
    assert made.status_code == 201
    listed = (await house.browser().get("/v1/tokens?count=true", headers=bearer(made.json()))).json()
    assert (listed["total"], listed["items"][0]["id"]) == (1, made.json()["id"])

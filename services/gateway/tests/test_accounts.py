"""Who may log in."""

from typing import Any

from sqlalchemy import text

from gateway.models import log
from shared.db import Query
from shared.verification import verify

NEW = {"username": "Ada", "password": "purple monkey dishwasher", "role": "editor"}


async def test_an_admin_adds_an_account_that_can_log_in(house: Any, admin: Any) -> None:
    answer = await admin("POST", "/v1/accounts", json=NEW)
    assert answer.status_code == 201
    account = answer.json()
    assert {key: account[key] for key in ("username", "role", "disabled", "version")} == {
        "username": "Ada",
        "role": "editor",
        "disabled": False,
        "version": 1,
    }
    assert answer.headers["location"] == f"/v1/accounts/{account['id']}"
    assert answer.headers["etag"] == '"1"'
    assert (await admin.get(answer.headers["location"])).json() == account
    assert (await (await house.browser().log_in("ADA", NEW["password"])).get("/v1/session")).json()["username"] == "Ada"


async def test_usernames_are_unique_without_regard_to_case(house: Any, admin: Any) -> None:
    await admin("POST", "/v1/accounts", json=NEW)
    answer = await admin("POST", "/v1/accounts", json={**NEW, "username": "aDA"})
    assert answer.status_code == 409
    assert answer.json()["errors"][0]["field"] == "username"


async def test_wrong_fields_are_named(house: Any, admin: Any) -> None:
    table: list[tuple[dict[str, Any], str]] = [
        ({"username": "a:b"}, "username"),
        ({"username": "a b"}, "username"),
        ({"username": ""}, "username"),
        ({"role": "root"}, "role"),
        ({"password": "short"}, "password"),
        ({"password": "password1"}, "password"),
        ({"password": None}, "password"),
        ({"disabled": True}, "disabled"),
        ({"id": 1}, "id"),
    ]
    for change, field in table:
        answer = await admin("POST", "/v1/accounts", json={**NEW, **change})
        assert answer.status_code == 422, change
        assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_accounts_are_listed_a_page_at_a_time(house: Any, admin: Any) -> None:
    first = await admin.get("/v1/accounts?limit=2&sort=-username&count=true")
    assert [one["username"] for one in first.json()["items"]] == ["viewer", "editor"]
    assert first.json()["total"] == 3
    following = first.headers["link"].partition(">")[0].removeprefix("<")
    second = await admin.get(following)
    assert [one["username"] for one in second.json()["items"]] == ["admin"]
    assert second.json()["next"] is None
    assert (await admin.get("/v1/accounts?cursor=x")).status_code == 400
    assert (await admin.get("/v1/accounts?limit=0")).status_code == 400
    assert (await admin.get("/v1/accounts?role=x")).json()["errors"][0]["field"] == "role"
    assert (await admin.get("/v1/accounts/999")).status_code == 404
    assert (await admin.get("/v1/accounts/9223372036854775807")).status_code == 404


async def test_a_repeated_creation_is_one(house: Any, admin: Any) -> None:
    headers = {"Idempotency-Key": "one"}
    first = await admin("POST", "/v1/accounts", json=NEW, headers=headers)
    again = await admin("POST", "/v1/accounts", json=NEW, headers=headers)
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    other = await admin("POST", "/v1/accounts", json={**NEW, "password": "another fine phrase"}, headers=headers)
    assert other.status_code == 422


async def test_no_answer_log_or_table_but_one_holds_the_password(house: Any, admin: Any, capfd: Any) -> None:
    canary = "canary-7f3a purple phrase"
    for path, body in (("/v1/accounts", {**NEW, "password": canary}), ("/v1/session", {"username": "nobody", "password": canary})):
        answer = await admin("POST", path, json=body, headers={"Idempotency-Key": "k"})
        assert canary not in answer.text
    await house.browser().log_in("ada", canary)
    told = capfd.readouterr()
    assert canary not in told.out + told.err
    db = house.app.extensions["db"]
    tables = ("accounts", "accounts_versions", "sessions", "changes", "idempotency", "meta")
    for table in tables:
        rows = repr(await db.all(Query(text(f"SELECT * FROM {table}"))))
        assert canary not in rows
        assert "$argon2" not in rows
    assert (await verify(db, log)).seq == 4

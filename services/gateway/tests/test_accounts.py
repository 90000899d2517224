"""Who may log in."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from gateway.models import log
from shared.db import Query
from shared.verification import verify

PASSWORD = "correct battery staple horse"
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
        ({"username": "viewer\n"}, "username"),
        ({"username": "\uff41dmin"}, "username"),
        ({"username": "adm\u200bin"}, "username"),
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


STAFF = {"id": 7, "username": "ada", "status": "active", "version": 3, "created_at": "2020-01-01T00:00:00.000000Z"}


async def test_what_may_be_changed_is_changed(house: Any, admin: Any, editor: Any) -> None:
    first = await admin("PATCH", "/v1/accounts/2", json={"role": "viewer"}, headers={"If-Match": '"1"'})
    assert (first.status_code, first.json()["role"], first.headers["etag"]) == (200, "viewer", '"2"')
    assert (await editor.get("/v1/session")).status_code == 401, "another role is another session"
    stale = await admin("PATCH", "/v1/accounts/2", json={"role": "admin"}, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.headers["etag"]) == (412, '"2"')
    same = await admin("PATCH", "/v1/accounts/2", json={})
    assert same.json() == first.json()
    assert (await admin("PATCH", "/v1/accounts/999", json={"role": "viewer"})).status_code == 404
    table: list[tuple[dict[str, Any], str]] = [
        ({"role": "root"}, "role"),
        ({"role": None}, "role"),
        ({"disabled": "yes"}, "disabled"),
        ({"disabled": None}, "disabled"),
        ({"employee_id": 0}, "employee_id"),
        ({"employee_id": "7"}, "employee_id"),
        ({"username": "x"}, "username"),
        ({"password": "x"}, "password"),
        ({"generation": 1}, "generation"),
        ({"version": 1}, "version"),
        ({"created_at": "x"}, "created_at"),
        ({"id": 1}, "id"),
    ]
    for change, field in table:
        answer = await admin("PATCH", "/v1/accounts/2", json=change)
        assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (422, [field]), change
    assert (await admin.get("/v1/accounts/2")).json() == first.json()


async def test_a_disabled_account_is_out_and_can_not_log_in(house: Any, admin: Any, viewer: Any) -> None:
    assert (await admin("PATCH", "/v1/accounts/1", json={"disabled": True})).json()["disabled"] is True
    assert (await viewer.get("/v1/session")).status_code == 401
    unknown, disabled = [
        await house.browser()("POST", "/v1/session", json={"username": name, "password": word}, headers={"X-Request-ID": "same"})
        for name, word in (("nobody", "wrong"), ("viewer", PASSWORD))
    ]
    assert disabled.json() == unknown.json()
    await admin("PATCH", "/v1/accounts/1", json={"disabled": False})
    assert (await viewer.get("/v1/session")).status_code == 401
    await house.browser().log_in("viewer")


async def test_the_last_admin_stays(house: Any, admin: Any) -> None:
    table: list[tuple[dict[str, Any], str]] = [
        ({"role": "editor"}, "role"),
        ({"disabled": True}, "disabled"),
        ({"role": "viewer", "disabled": True}, "disabled"),
    ]
    for change, field in table:
        answer = await admin("PATCH", "/v1/accounts/3", json=change)
        assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (409, [field])
        assert "last admin" in answer.json()["detail"]
    await admin("PATCH", "/v1/accounts/2", json={"role": "admin"})
    assert (await admin("PATCH", "/v1/accounts/3", json={"role": "editor"})).status_code == 200
    assert (await admin.get("/v1/session")).status_code == 401


async def test_a_link_is_to_someone_who_is_there_and_active(house: Any, admin: Any) -> None:
    path = "/v1/accounts/1"
    house.employees.on("GET /v1/employees/7", json=STAFF)
    linked = await admin("PATCH", path, json={"employee_id": 7})
    assert (linked.status_code, linked.json()["employee_id"]) == (200, 7)
    house.employees.on("GET /v1/employees/8", json={**STAFF, "id": 8, "status": "inactive"})
    for employee_id in (8, 9):
        answer = await admin("PATCH", path, json={"employee_id": employee_id})
        assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (422, ["employee_id"])
    house.employees.on("GET /v1/employees/8", body=b"[]")
    assert (await admin("PATCH", path, json={"employee_id": 8})).status_code == 502
    house.employees.on("GET /v1/employees/8", status=503)
    assert (await admin("PATCH", path, json={"employee_id": 8})).status_code == 503
    assert (await admin.get(path)).json() == linked.json()
    house.employees.on("GET /v1/employees/7", json={**STAFF, "status": "inactive"})
    assert (await admin("PATCH", path, json={"disabled": True})).status_code == 200
    refused = await admin("PATCH", path, json={"disabled": False})
    assert [error["field"] for error in refused.json()["errors"]] == ["employee_id"]
    free = await admin("PATCH", path, json={"disabled": False, "employee_id": None})
    assert (free.status_code, free.json()["employee_id"], free.json()["disabled"]) == (200, None, False)


async def test_a_password_is_changed_with_the_old_one_and_ends_all_other_sessions(house: Any, viewer: Any) -> None:
    other, before = await house.browser().log_in("viewer"), viewer.cookie
    for body, field in (
        ({"current_password": "wrong", "password": NEW["password"]}, "current_password"),
        ({"current_password": PASSWORD, "password": "short"}, "password"),
        ({"current_password": PASSWORD, "password": "viewer2026!"}, "password"),
        ({"current_password": PASSWORD, "password": "password1"}, "password"),
        ({"current_password": PASSWORD}, "password"),
        ({"password": NEW["password"]}, "current_password"),
    ):
        answer = await viewer("PUT", "/v1/password", json=body)
        assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (422, [field])
    assert (await other.get("/v1/session")).status_code == 200
    changed = await viewer("PUT", "/v1/password", json={"current_password": PASSWORD, "password": NEW["password"]})
    assert (changed.status_code, changed.json()["username"]) == (200, "viewer")
    assert (await viewer.get("/v1/session")).status_code == 200
    assert (await other.get("/v1/session")).status_code == 401
    assert (await other.get("/v1/session", headers={"Cookie": f"__Host-session={before}"})).status_code == 401
    await house.browser().log_in("viewer", NEW["password"])
    assert (await house.browser()("POST", "/v1/session", auth=("viewer", PASSWORD))).status_code == 401


async def test_of_two_changes_at_once_one_is_made(house: Any) -> None:
    browsers = [await house.browser().log_in("viewer") for _ in range(2)]
    words = ["a first fine phrase", "a second fine phrase"]
    bodies = [{"current_password": PASSWORD, "password": word} for word in words]
    answers = await asyncio.gather(*(one("PUT", "/v1/password", json=body) for one, body in zip(browsers, bodies, strict=True)))
    assert sorted(one.status_code for one in answers) in ([200, 401], [200, 422])
    (word,) = (word for one, word in zip(answers, words, strict=True) if one.status_code == 200)
    await house.browser().log_in("viewer", word)


async def test_an_admin_resets_a_password_and_ends_every_session(house: Any, admin: Any, viewer: Any) -> None:
    path = "/v1/accounts/1/password"
    for word in ("short", "Viewer99", "password1"):
        answer = await admin("PUT", path, json={"password": word})
        assert [error["field"] for error in answer.json()["errors"]] == ["password"]
    assert (await admin("PUT", "/v1/accounts/999/password", json={"password": NEW["password"]})).status_code == 404
    own = await admin("PUT", "/v1/accounts/3/password", json={"password": NEW["password"]})
    assert (own.status_code, "PUT /v1/password" in own.json()["detail"]) == (403, True)
    assert (await viewer("PUT", path, json={"password": NEW["password"]})).status_code == 403
    assert (await admin("PUT", path, json={"password": NEW["password"]})).status_code == 204
    assert (await viewer.get("/v1/session")).status_code == 401
    await house.browser().log_in("viewer", NEW["password"])


@pytest.mark.parametrize(
    ("account", "method", "path", "body"),
    [
        (1, "PATCH", "/v1/accounts/1", {"disabled": True}),
        (1, "PATCH", "/v1/accounts/1", {"role": "editor"}),
        (1, "PUT", "/v1/accounts/1/password", {"password": NEW["password"]}),
        (1, "DELETE", "/v1/sessions?account_id=1", None),
        (3, "PUT", "/v1/password", {"current_password": PASSWORD, "password": NEW["password"]}),
        (3, "DELETE", "/v1/sessions", None),
    ],
)
async def test_sessions_end_in_other_processes_within_a_second(
    settings: Any, open_house: Any, account: int, method: str, path: str, body: Any
) -> None:
    async with open_house(settings) as first, open_house(settings, first.clock) as second:
        admin, there = await first.browser().log_in("admin"), second.browser()
        await there.log_in("viewer" if account == 1 else "admin")
        assert (await there.get("/v1/session")).status_code == 200
        assert (await admin(method, path, json=body)).status_code in (200, 204)
        first.clock.now += 1.0
        assert (await there.get("/v1/session")).status_code == 401


async def test_what_a_username_and_a_subject_are_like_is_said_in_words(admin: Any) -> None:
    made = await admin("POST", "/v1/accounts", json={"username": "Bob Smith", "password": PASSWORD, "role": "viewer"})
    linked = await admin("PATCH", "/v1/accounts/1", json={"oidc_subject": "bob"})
    said = [answer.json()["errors"][0]["message"] for answer in (made, linked)]
    assert said == [
        "Expected text without blanks and colons",
        "Expected the issuer, a space, and a subject, like https://id.example.org 248289761001",
    ]


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/sessions"), ("DELETE", "/v1/sessions"), ("GET", "/v1/tokens")])
async def test_what_is_asked_of_an_account_that_is_not_there_says_so(admin: Any, method: str, path: str) -> None:
    answer = await admin(method, f"{path}?account_id=99")
    assert (answer.status_code, answer.json()["detail"]) == (404, "There is no account 99.")


async def test_everything_about_access_is_in_the_log_and_no_secret_is(settings: Any, open_house: Any, capfd: Any) -> None:
    async with open_house(settings) as house:
        admin = await house.browser().log_in("admin")
        viewer = await house.browser().log_in("viewer")
        new = "canary-51 purple phrase"
        await viewer("PUT", "/v1/password", json={"current_password": PASSWORD, "password": new})
        await admin("PATCH", "/v1/accounts/1", json={"role": "editor"})
        await admin("PUT", "/v1/accounts/1/password", json={"password": "canary-52 purple phrase"})
        await house.browser()("POST", "/v1/session", auth=("viewer", "canary-53"))
        await house.browser()("POST", "/v1/session", auth=("canary-54", "x"))
        await admin("DELETE", "/v1/session")
        db = house.app.extensions["db"]
        rows = await db.all(Query(text("SELECT entity, kind, actor FROM changes WHERE seq > 5 ORDER BY seq")))
        changed = [("account", "updated"), ("password", "updated")]
        assert rows == [
            *((entity, kind, "account:1") for entity, kind in [*changed, ("session", "deleted"), ("session", "created")]),
            *((entity, kind, "account:3") for entity, kind in [changed[0], ("session", "deleted"), *changed]),
            ("session", "deleted", "account:3"),
        ]
        assert (await verify(db, log)).seq == 5 + len(rows)
        told = capfd.readouterr()
        said = told.out + told.err
        kept = [await db.all(Query(text(f"SELECT * FROM {table}"))) for table in ("changes", "accounts_versions")]
        assert "canary" not in said + repr(kept)
        refused = [line for line in said.splitlines() if "log-in refused" in line]
        assert ['"account":"account:1"' in line for line in refused] == [True, False]
        assert all('"client":"127.0.0.1"' in line for line in refused)


async def test_no_answer_log_or_table_but_one_holds_the_password(settings: Any, open_house: Any, capfd: Any) -> None:
    async with open_house(settings) as house:
        admin = await house.browser().log_in("admin")
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
        assert (await verify(db, log)).seq == 6, "four accounts and two sessions"

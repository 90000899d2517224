"""Tokens: what programs show, what they may do with it, and when that ends."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from gateway.models import log
from shared.db import Query
from shared.verification import verify

PASSWORD = "correct battery staple horse"
FORWARDED = "/v1/employees/7"
SOON = 1_800_000_000 + 3600
PATIENT = {"X-Request-Timeout-Ms": "10000"}  # on a busy machine hashes take their time
SOON_TEXT = "2027-01-15T09:00:00Z"


async def make(browser: Any, **fields: Any) -> Any:
    answer = await browser("POST", "/v1/tokens", json={"name": "program", "scope": "read", **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()


class Program:
    """Asks with a token and nothing else."""

    def __init__(self, house: Any, token: str) -> None:
        self.token = token
        self._browser = house.browser()

    async def __call__(self, method: str, path: str, **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        return await self._browser(method, path, headers=headers, **options)

    async def status(self, method: str, path: str, **options: Any) -> int:
        return int((await self(method, path, **options)).status_code)


async def test_a_token_opens_both_ways_through_the_gateway(house: Any, editor: Any) -> None:
    house.employees.on(f"GET {FORWARDED}", json={"id": 7})
    made = await make(editor, scope="write", name="nightly import")
    program = Program(house, made["token"])
    assert made["token"].startswith("roster_")
    assert len(made["token"]) == 50
    assert (await program("GET", FORWARDED)).json() == {"id": 7}
    assert house.employees.seen[-1].headers["authorization"].startswith("Bearer ey"), "the token goes no further"
    answer = await program("GET", f"{FORWARDED}?expand=manager")
    assert (answer.status_code, house.employees.seen[-1].path) == (502, FORWARDED), "put together here, from a record that is none"
    who = (await program("GET", "/v1/session")).json()
    assert {name: who[name] for name in ("account_id", "username", "role")} == {"account_id": 2, "username": "editor", "role": "editor"}
    assert who["until"].startswith("9999")


@pytest.mark.parametrize(
    ("account", "scope", "may"),
    [
        ("admin", "read", (200, 403, 403)),
        ("admin", "write", (200, 200, 403)),
        ("admin", "admin", (200, 200, 200)),
        ("editor", "write", (200, 200, 403)),
    ],
)
async def test_scope_and_role_both_have_to_allow_it(house: Any, account: str, scope: str, may: tuple[int, ...]) -> None:
    house.employees.on(f"GET {FORWARDED}", json={"id": 7})
    house.employees.on(f"PATCH {FORWARDED}", json={"id": 7})
    program = Program(house, (await make(await house.browser().log_in(account), scope=scope))["token"])
    patch = {"headers": {"Content-Type": "application/json"}, "content": b"{}"}
    answers = [
        await program.status("GET", FORWARDED),
        await program.status("PATCH", FORWARDED, **patch),
        await program.status("GET", "/v1/accounts"),
    ]
    assert tuple(answers) == may


async def test_a_role_that_is_taken_away_is_taken_from_the_token_too(house: Any, admin: Any, editor: Any) -> None:
    program = Program(house, (await make(editor, scope="write"))["token"])
    house.employees.on("POST /v1/employees", json={"id": 7}, status=201)
    assert await program.status("POST", "/v1/employees", json={}) == 201
    await admin("PATCH", "/v1/accounts/2", json={"role": "viewer"})
    answer = await program("POST", "/v1/employees", json={})
    assert answer.status_code == 403
    assert "this token's is viewer" in answer.json()["detail"]


async def test_a_revoked_token_is_dead_at_once_and_everywhere_within_a_second(settings: Any, open_house: Any) -> None:
    async with open_house(settings) as first, open_house(settings, first.clock) as second:
        browser = await first.browser().log_in("viewer")
        made = await make(browser)
        here, there = Program(first, made["token"]), Program(second, made["token"])
        assert [await one.status("GET", "/v1/session") for one in (here, there)] == [200, 200]
        assert (await browser("DELETE", f"/v1/tokens/{made['id']}")).status_code == 204
        assert await here.status("GET", "/v1/session") == 401
        first.clock.now += 1.0
        answer = await there("GET", "/v1/session")
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Bearer realm="roster", error="invalid_token"'
        assert (await browser("DELETE", f"/v1/tokens/{made['id']}")).status_code == 404


async def test_a_disabled_accounts_token_is_dead_everywhere_within_a_second(settings: Any, open_house: Any) -> None:
    async with open_house(settings) as first, open_house(settings, first.clock) as second:
        admin, browser = await first.browser().log_in("admin"), await first.browser().log_in("viewer")
        made = await make(browser)
        here, there = Program(first, made["token"]), Program(second, made["token"])
        assert [await one.status("GET", "/v1/session") for one in (here, there)] == [200, 200]
        await admin("PATCH", "/v1/accounts/1", json={"disabled": True})
        assert await here.status("GET", "/v1/session") == 401
        first.clock.now += 1.0
        assert await there.status("GET", "/v1/session") == 401
        await admin("PATCH", "/v1/accounts/1", json={"disabled": False})
        assert await here.status("GET", "/v1/session") == 200
        assert (await browser.get("/v1/session")).status_code == 401, "a session is gone for good"


async def test_a_token_ends_when_it_said_it_would(house: Any, viewer: Any) -> None:
    program = Program(house, (await make(viewer, expires_at=SOON_TEXT))["token"])
    house.clock.now = SOON - 0.5
    assert await program.status("GET", "/v1/session") == 200
    house.clock.now = SOON + 0.5
    assert await program.status("GET", "/v1/session") == 401


async def test_a_token_decides_alone_beside_a_cookie(house: Any, admin: Any, viewer: Any) -> None:
    program = Program(house, (await make(viewer))["token"])
    cookie = {"Cookie": f"__Host-session={admin.cookie}"}
    assert (await program("GET", "/v1/session", headers=cookie)).json()["username"] == "viewer"
    assert await program.status("GET", "/v1/accounts", headers=cookie) == 403
    program.token = "roster_" + "x" * 43
    assert await program.status("GET", "/v1/session", headers=cookie) == 401, "a bad token is no reason to look at the cookie"
    assert (await admin.get("/v1/session", headers={"Authorization": "Basic eDp5"})).status_code == 200, "other schemes say nothing"


async def test_where_a_request_comes_from_matters_for_cookies_only(house: Any, viewer: Any) -> None:
    foreign = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    body = {"name": "x", "scope": "read"}
    program = Program(house, (await make(await house.browser().log_in("editor"), scope="write"))["token"])
    house.employees.on("POST /v1/employees", json={"id": 7}, status=201)
    assert await program.status("POST", "/v1/employees", json={}, headers=foreign) == 201
    assert (await viewer("POST", "/v1/tokens", json=body, headers=foreign)).status_code == 403
    basic = await house.browser()("POST", "/v1/tokens", json=body, headers=foreign, auth=("viewer", PASSWORD))
    assert basic.status_code == 403, "a browser sends Basic by itself, too"


@pytest.mark.parametrize(
    "shown", ["x", "roster_", "roster_" + "x" * 42, "roster_" + "x" * 44, "ROSTER_" + "x" * 43, "roster_" + "é" * 43, "ey.x.y"]
)
async def test_what_is_no_token_of_ours_is_nobodys(house: Any, shown: str) -> None:
    answer = await house.browser().get("/v1/session", headers={"Authorization": f"Bearer {shown}".encode("latin-1")})
    assert answer.status_code == 401


async def test_nobody_sees_or_revokes_beyond_what_is_theirs(house: Any, admin: Any, editor: Any) -> None:
    tokens = {scope: await make(admin, scope=scope) for scope in ("read", "write", "admin")}
    theirs = await make(editor)
    read, write, all_ = (Program(house, one["token"]) for one in tokens.values())

    async def seen(program: Any, query: str = "") -> list[int]:
        return [one["id"] for one in (await program("GET", f"/v1/tokens{query}")).json()["items"]]

    ids = [one["id"] for one in tokens.values()]
    assert [await seen(one) for one in (read, write, all_, admin)] == [ids[:1], ids[:2], ids, ids]
    assert await seen(editor) == [theirs["id"]]
    assert await seen(all_, "?account_id=2") == [theirs["id"]]
    assert await write.status("GET", "/v1/tokens?account_id=2") == 403
    assert (await editor.get("/v1/tokens?account_id=3")).status_code == 403
    path = f"/v1/tokens/{tokens['admin']['id']}"
    for program in (read, write, editor):
        assert [(await program(method, path)).status_code for method in ("GET", "DELETE")] in ([404, 404], [404, 403])
    assert await all_.status("GET", f"/v1/tokens/{theirs['id']}") == 200
    assert await read.status("DELETE", f"/v1/tokens/{tokens['write']['id']}") == 403
    assert await read.status("DELETE", f"/v1/tokens/{tokens['read']['id']}") == 204, "itself"
    assert await read.status("GET", "/v1/session") == 401


async def test_a_token_is_not_logged_in(house: Any, editor: Any) -> None:
    program = Program(house, (await make(editor, scope="write"))["token"])
    change = {"current_password": PASSWORD, "password": "another fine phrase"}
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("DELETE", "/v1/session", {}),
        ("PUT", "/v1/password", {"json": change}),
        ("GET", "/v1/sessions", {}),
        ("DELETE", "/v1/sessions", {}),
        ("DELETE", "/v1/sessions/1", {}),
    ]
    for method, path, options in calls:
        assert await program.status(method, path, **options) == 403, path
    assert (await editor.get("/v1/session")).status_code == 200


async def test_the_last_use_is_told_once_a_minute(house: Any, viewer: Any) -> None:
    made = await make(viewer)
    program, used = Program(house, made["token"]), []
    for step in (0, 30, 31, 20):
        house.clock.now += step
        await program("GET", "/v1/session")
        await house.app.extensions["gateway"].tokens.close()
        used.append((await viewer.get(f"/v1/tokens/{made['id']}")).json()["last_used_at"][11:19])
    assert used == ["08:00:00", "08:00:00", "08:01:01", "08:01:01"]
    (listed,) = (await program("GET", "/v1/tokens")).json()["items"]
    assert (listed["current"], "token" in listed) == (True, False)


async def test_no_table_log_or_other_answer_holds_a_token(settings: Any, open_house: Any, capfd: Any) -> None:
    async with open_house(settings) as house:
        viewer = await house.browser().log_in("viewer")
        answer = await viewer("POST", "/v1/tokens", json={"name": "x", "scope": "read"}, headers={"Idempotency-Key": "k"})
        secret, path = answer.json()["token"], answer.headers["location"]
        await Program(house, secret)("GET", "/v1/session")
        assert secret not in (await viewer.get(path)).text + (await viewer.get("/v1/tokens")).text
        db = house.app.extensions["db"]
        for table in ("tokens", "tokens_versions", "token_digests", "changes", "idempotency", "sessions", "accounts_versions"):
            assert secret not in repr(await db.all(Query(text(f"SELECT * FROM {table}"))))
        await viewer("DELETE", path)
        told = capfd.readouterr()
        assert secret not in told.out + told.err
        rows = await db.all(Query(text("SELECT kind, actor FROM changes WHERE entity = 'token' ORDER BY seq")))
        assert rows == [("created", "account:1"), ("deleted", "account:1")]
        assert (await verify(db, log)).seq == 3 + 1 + 2


async def test_without_its_database_no_token_is_taken(house: Any, viewer: Any) -> None:
    program = Program(house, (await make(viewer))["token"])
    await house.app.extensions["db"].close()
    for path in ("/v1/session", FORWARDED):
        assert await program.status("GET", path) == 503
    for browser in (viewer, program):
        assert (await browser("POST", "/v1/tokens", json={"name": "x", "scope": "read"})).status_code == 503
    assert await program.status("GET", "/livez") == 200


async def test_many_tokens_at_once_are_all_taken(house: Any, viewer: Any) -> None:
    made = await asyncio.gather(*(make(viewer, name=f"n{number}") for number in range(20)))
    assert len({one["token"] for one in made}) == 20
    answers = await asyncio.gather(*(Program(house, one["token"]).status("GET", "/v1/session") for one in made))
    assert answers == [200] * 20
    page = (await viewer.get("/v1/tokens?limit=15&sort=-id")).json()
    rest = (await viewer.get(f"/v1/tokens?limit=15&sort=-id&cursor={page['next']}")).json()
    assert (len(page["items"]), len(rest["items"]), rest["next"]) == (15, 5, None)

"""Logging in and out, and how long that lasts."""

import asyncio
import base64
import shutil
import subprocess
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import msgspec
import pytest
from argon2 import PasswordHasher, extract_parameters

from gateway import passwords
from gateway.credentials import digest_of
from gateway.sessions import SessionCookies
from gateway.store import accounts

PASSWORD = "correct battery staple horse"


async def test_log_in_by_body_or_basic_tells_who(house: Any) -> None:
    body = await house.browser()("POST", "/v1/session", json={"username": "Viewer", "password": PASSWORD})
    basic = await house.browser()("POST", "/v1/session", auth=("viewer", PASSWORD))
    for answer in (body, basic):
        assert answer.status_code == 200
        assert (answer.json()["username"], answer.json()["role"]) == ("viewer", "viewer")


async def test_the_cookie_is_hardened(house: Any) -> None:
    answer = await house.browser()("POST", "/v1/session", json={"username": "viewer", "password": PASSWORD})
    (cookie,) = SimpleCookie(answer.headers["set-cookie"]).values()
    assert cookie.key == "__Host-session"
    assert (cookie["path"], cookie["domain"], cookie["samesite"]) == ("/", "", "Lax")
    assert cookie["secure"] is True
    assert cookie["httponly"] is True
    assert len(cookie.value.rpartition(".")[2]) == 86  # 512 bits


async def test_no_other_answer_sets_a_cookie(house: Any, viewer: Any) -> None:
    for path in ("/", "/v1/session", "/livez", "/nothing", "/v1/accounts"):
        assert "set-cookie" not in (await viewer.get(path)).headers


async def test_a_wrong_password_and_an_unknown_user_look_alike(house: Any) -> None:
    answers = [
        await house.browser()("POST", "/v1/session", json={"username": name, "password": "wrong"}, headers={"X-Request-ID": "same"})
        for name in ("viewer", "nobody")
    ]
    assert answers[0].status_code == answers[1].status_code == 401
    assert answers[0].json() == answers[1].json()
    assert {name for name in answers[0].headers if name != "date"} == {name for name in answers[1].headers if name != "date"}


BAD: list[tuple[Any, int]] = [
    ({}, 422),
    ({"username": "viewer"}, 422),
    ({"username": "viewer", "password": 7}, 422),
    ({"username": "viewer", "password": PASSWORD, "role": "admin"}, 422),
    ({"username": "viewer\0", "password": PASSWORD}, 400),
    ({"username": "v" * 129, "password": PASSWORD}, 422),
    ({"username": "viewer", "password": "p" * 2000}, 422),
]


async def test_bad_credentials_are_named(house: Any) -> None:
    for body, status in BAD:
        answer = await house.browser()("POST", "/v1/session", json=body)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("username", "password", "status", "field"),
    [("v" * 129, PASSWORD, 422, "username"), ("viewer", "p" * 257, 422, "password"), ("viewer\0", PASSWORD, 400, "username")],
)
async def test_basic_credentials_have_the_same_bounds(house: Any, username: str, password: str, status: int, field: str) -> None:
    answer = await house.browser()("POST", "/v1/session", auth=(username, password))
    assert answer.status_code == status
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_log_in_without_credentials_says_what_is_needed(house: Any) -> None:
    for headers in ({}, {"Authorization": "Basic !!!"}, {"Authorization": "Bearer x"}):
        answer = await house.browser()("POST", "/v1/session", headers=headers)
        assert answer.status_code == 400
        assert {error["field"] for error in answer.json()["errors"]} == {"username", "password"}


async def test_log_out_kills_copied_cookies(house: Any, viewer: Any) -> None:
    copied = viewer.cookie
    assert (await viewer("DELETE", "/v1/session")).status_code == 204
    assert viewer.cookie is None
    answer = await viewer.get("/v1/session", headers={"Cookie": f"__Host-session={copied}"})
    assert answer.status_code == 401


async def test_log_out_reaches_other_processes_within_a_second(settings: Any, open_house: Any) -> None:
    async with open_house(settings) as first, open_house(settings, first.clock) as second:
        browser = await first.browser().log_in("viewer")
        other = second.browser()
        other.cookie = browser.cookie
        assert (await other.get("/v1/session")).status_code == 200
        await browser("DELETE", "/v1/session")
        first.clock.now += 1.0
        assert (await other.get("/v1/session")).status_code == 401


async def test_each_log_in_is_a_new_session_and_ends_the_old(house: Any, viewer: Any) -> None:
    first = viewer.cookie
    await viewer.log_in("viewer")
    assert viewer.cookie != first
    assert (await viewer.get("/v1/session", headers={"Cookie": f"__Host-session={first}"})).status_code == 401
    assert (await viewer.get("/v1/session")).status_code == 200


async def test_a_session_id_is_128_random_bits(house: Any) -> None:
    ids = set()
    for _ in range(3):
        browser = await house.browser().log_in("viewer")
        claims = SessionCookies(["k" * 40]).claims(browser.cookie.encode())
        assert claims is not None
        ids.add(claims["session"])
    assert {len(base64.urlsafe_b64decode(f"{one}==")) for one in ids} == {16}
    assert len(ids) == 3


async def test_an_unused_session_ends_after_half_an_hour(house: Any, viewer: Any) -> None:
    house.clock.now += 29 * 60 + 59
    assert (await viewer.get("/v1/session")).status_code == 200
    house.clock.now += 30 * 60 + 1
    assert (await viewer.get("/v1/session")).status_code == 401


async def test_a_used_session_ends_after_twelve_hours(house: Any, viewer: Any) -> None:
    until = house.clock.now + 12 * 3600
    while house.clock.now + 25 * 60 < until:
        house.clock.now += 25 * 60
        assert (await viewer.get("/v1/session")).status_code == 200
    house.clock.now = until - 1
    assert (await viewer.get("/v1/session")).status_code == 200
    house.clock.now = until + 1
    assert (await viewer.get("/v1/session")).status_code == 401


async def test_the_last_use_survives_a_restart(settings: Any, open_house: Any) -> None:
    async with open_house(settings) as first:
        browser = await first.browser().log_in("viewer")
        first.clock.now += 25 * 60
        await browser.get("/v1/session")
    async with open_house(settings, first.clock) as second:
        again = second.browser()
        again.cookie = browser.cookie
        first.clock.now += 25 * 60
        assert (await again.get("/v1/session")).status_code == 200


async def test_the_last_second_of_an_unused_session_counts(house: Any) -> None:
    for idle, status in ((29 * 60 + 59, 200), (30 * 60 + 1, 401)):
        browser = await house.browser().log_in("viewer")
        house.clock.now += idle
        assert (await browser.get("/v1/session")).status_code == status, idle


async def test_one_s_own_sessions_are_listed(house: Any, viewer: Any, editor: Any) -> None:
    house.clock.now += 90
    phone = house.browser()
    await phone("POST", "/v1/session", json={"username": "viewer", "password": PASSWORD}, headers={"User-Agent": "Phone " + "x" * 300})
    listed = (await phone.get("/v1/sessions")).json()
    first, second = listed["items"]
    assert (first["current"], second["current"]) == (False, True)
    assert first["created_at"] < second["created_at"] < second["until"]
    assert second["user_agent"].startswith("Phone x")
    assert len(second["user_agent"]) == 200
    assert listed["next"] is None
    page = (await phone.get("/v1/sessions?limit=1")).json()
    assert (await phone.get(f"/v1/sessions?limit=1&cursor={page['next']}")).json()["items"] == [second]
    house.clock.now += 30 * 60 - 45
    assert [one["id"] for one in (await phone.get("/v1/sessions")).json()["items"]] == [second["id"]], "the other was not used for too long"


async def test_one_s_own_sessions_are_ended_one_by_one_or_all_others_at_once(house: Any, viewer: Any, editor: Any) -> None:
    others = [await house.browser().log_in("viewer") for _ in range(3)]
    ids = [one["id"] for one in (await viewer.get("/v1/sessions")).json()["items"]]
    assert (await editor("DELETE", f"/v1/sessions/{ids[1]}")).status_code == 404, "somebody else's"
    assert (await viewer("DELETE", f"/v1/sessions/{ids[1]}")).status_code == 204
    assert [(await one.get("/v1/session")).status_code for one in others] == [401, 200, 200]
    assert (await viewer("DELETE", f"/v1/sessions/{ids[1]}")).status_code == 404
    assert (await viewer("DELETE", "/v1/sessions")).status_code == 204
    assert [(await one.get("/v1/session")).status_code for one in (*others, viewer, editor)] == [401, 401, 401, 200, 200]
    assert (await viewer("DELETE", f"/v1/sessions/{ids[0]}")).status_code == 204
    assert (await viewer.get("/v1/session")).status_code == 401


async def test_an_admin_sees_and_ends_the_sessions_of_others(house: Any, viewer: Any, admin: Any) -> None:
    (listed,) = (await admin.get("/v1/sessions?account_id=1")).json()["items"]
    assert listed["current"] is False
    assert (await viewer.get("/v1/sessions?account_id=3")).status_code == 403
    assert (await viewer("DELETE", "/v1/sessions?account_id=3")).status_code == 403
    assert (await admin("DELETE", "/v1/sessions?account_id=1")).status_code == 204
    assert (await viewer.get("/v1/session")).status_code == 401
    assert (await admin.get("/v1/session")).status_code == 200
    again = await viewer.log_in("viewer")
    (listed,) = (await admin.get("/v1/sessions?account_id=1")).json()["items"]
    assert (await admin("DELETE", f"/v1/sessions/{listed['id']}")).status_code == 204
    assert (await again.get("/v1/session")).status_code == 401


async def test_weaker_parameters_are_made_anew_at_log_in(house: Any) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    db = house.app.extensions["db"]
    await db.write(accounts.set_hash(await accounts.get_log_in(db, 1), weak))
    assert (await house.browser()("POST", "/v1/session", auth=("viewer", "wrong"))).status_code == 401
    assert (await accounts.get_log_in(db, 1)).hash == weak
    browser = await house.browser().log_in("viewer")
    kept = (await accounts.get_log_in(db, 1)).hash
    assert (extract_parameters(kept).memory_cost, passwords.stale(kept)) == (47_104, False)
    assert (await browser.get("/v1/session")).status_code == 200
    await house.browser().log_in("viewer")


async def test_an_altered_cookie_is_nobodys(house: Any, viewer: Any) -> None:
    good = viewer.cookie
    signed = good[:-9] + ("A" if good[-9] != "A" else "B") + good[-8:]
    for altered in (signed, "x" + good, good.split(".")[0], "é", ""):
        answer = await viewer.get("/v1/session", headers={"Cookie": f"__Host-session={altered}".encode("latin-1")})
        assert answer.status_code == 401, altered


async def test_two_different_cookies_are_nobodys(house: Any, viewer: Any) -> None:
    answer = await viewer.get("/v1/session", headers={"Cookie": f"__Host-session=x; __Host-session={viewer.cookie}"})
    assert answer.status_code == 401


async def test_keys_rotate_by_fallbacks(settings: Any, open_house: Any) -> None:
    old, new = "k" * 40, "n" * 40
    async with open_house(settings) as house:
        cookie = (await house.browser().log_in("viewer")).cookie
    for keys, status in ((f"{new},{old}", 200), (new, 401)):
        async with open_house(msgspec.structs.replace(settings, session_keys=keys), house.clock) as later:
            browser = later.browser()
            browser.cookie = cookie
            assert (await browser.get("/v1/session")).status_code == status


def test_a_claim_for_another_account_is_not_signed_by_us() -> None:
    ours, theirs = SessionCookies(["k" * 40]), SessionCookies(["x" * 40])
    forged = theirs.serializer_of_keys.dumps({"account": 1})
    assert ours.claims(str(forged).encode()) is None


def test_the_database_keeps_no_session_id() -> None:
    assert digest_of("abc") != "abc"
    assert len(digest_of("abc")) == 64


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_curl_keeps_the_cookie_in_its_jar(house: Any, tmp_path: Path) -> None:
    url = house.url.replace("127.0.0.1", "localhost")
    jar = tmp_path / "jar"

    async def curl(*arguments: str) -> str:
        command = ["curl", "-sS", "--max-time", "20", "-b", str(jar), "-c", str(jar), *arguments]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
        return done.stdout

    await curl("-u", f"viewer:{PASSWORD}", "-X", "POST", f"{url}/v1/session")
    assert '"role":"viewer"' in await curl(f"{url}/v1/session")
    await curl("-X", "DELETE", f"{url}/v1/session")
    assert '"status":401' in await curl(f"{url}/v1/session")

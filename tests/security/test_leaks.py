"""What must stay inside: what went wrong, in answers; passwords, cookies, tokens and assertions, in logs."""

import asyncio
import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from shared.testing.processes import Roster
from shared.testing.raw import RawServers, replying
from tools.contracts.exercise.asking import Case, ask
from tools.contracts.exercise.documents import operations
from tools.contracts.exercise.door import door
from tools.contracts.exercise.services import employees_stage, teams_stage
from tools.contracts.exercise.stage import Stage

SECRET = "canary: SELECT password FROM accounts"
INSIDE = (SECRET, "canary", "Traceback", "LookupError", "SELECT", ".py", "site-packages")
SAID = {"x-request-id", "x-content-type-options"}


def break_views(app: Any) -> None:
    """Every view raises what nobody expects, with something in it that nobody may read."""

    async def broken(**arguments: Any) -> Any:
        raise LookupError(SECRET)

    for endpoint, (_, declared) in list(app._operations.items()):
        app._operations[endpoint] = broken, declared


def tells_nothing(body: bytes) -> bool:
    return not any(word.encode() in body for word in INSIDE)


@pytest.mark.parametrize("make_stage", [employees_stage, teams_stage])
async def test_a_service_tells_nothing_of_a_fault_of_its_own(make_stage: Callable[[Path], Stage], tmp_path: Path, capfd: Any) -> None:
    stage = make_stage(tmp_path)
    app = stage.make_app(database_url=stage.database_url)
    async with app.test_app():
        break_views(app)
        for one in operations(app.extensions["openapi"]()):
            seen = await ask(app, one.case(500, "broken"), stage.headers("admin"))
            assert (seen.status, tells_nothing(seen.body)) == (500, True), seen.body
            assert seen.headers.keys() >= SAID
    assert SECRET in capfd.readouterr().err  # the log tells it


async def test_the_gateway_tells_nothing_of_a_fault_and_says_its_headers_on_every_answer(tmp_path: Path, capfd: Any) -> None:
    with door(tmp_path) as found:
        app = found.make()  # no service is there: what is forwarded is a 503
        async with app.test_app():
            known = {one.name: one for one in operations(app.extensions["openapi"]())}
            word = {"username": "admin", "password": found.password.read_text("utf-8").split()[-1]}
            entered = await ask(app, known["log_in"].case(200, "in", body=msgspec.json.encode(word)), {})
            cookie = {"cookie": entered.headers["set-cookie"].partition(";")[0]}
            break_views(app)
            nowhere = Case(operation="", status=404, about="nowhere", method="GET", path="/v1/nowhere")
            passed = [one for one in known.values() if "x-upstream" in one.described]
            cases = [one.case(503, "nobody there", query={}) for one in passed]
            cases += [one.case(500, "broken") for one in known.values() if one not in passed or "x-detour" in one.described]
            for case in (nowhere, *cases, *(replace(case, method="TRACE", status=405) for case in cases)):
                seen = await ask(app, case, cookie)
                assert (seen.status, tells_nothing(seen.body)) == (case.status, True), (case, seen.body)
                assert seen.headers.keys() >= SAID | {"content-security-policy", "referrer-policy", "cross-origin-resource-policy"}, case
                assert seen.headers["cache-control"] == "no-store"
                assert "frame-ancestors 'none'" in seen.headers["content-security-policy"]
    assert SECRET in capfd.readouterr().err


PASSWORD = "canary-password-that-nobody-may-read"
GUESS = "canary-guess-that-nobody-may-read"
ODD = ("/v1/employees/7%0a%7b%22event%22%3a%22forged%22%7d", "/v1/employees?q=canary-query%0aforged", "/v1/nothing%0d%0aforged")


def use(roster: Roster, gateway: str) -> Iterator[str]:
    """Log in, be refused, ask, fail; what must not be in any log."""
    with httpx.Client(base_url=gateway, trust_env=False, timeout=30) as http:
        admin = {"Cookie": roster.log_in()}
        http.post("/v1/accounts", json={"username": "canary", "password": PASSWORD, "role": "editor"}, headers=admin).raise_for_status()
        http.post("/v1/accounts", json={"username": "canary", "password": PASSWORD, "role": "editor"}, headers=admin)
        http.post("/v1/accounts", json={"username": "x", "password": PASSWORD, "role": "king"}, headers=admin)
        http.post("/v1/session", json={"username": "canary", "password": GUESS})
        http.post("/v1/session", json={"username": "canary", "password": GUESS, "and": GUESS})
        http.post("/v1/session", content=b'{"username": "canary", "password": "' + GUESS.encode())
        http.post("/v1/session", auth=("canary", GUESS))
        entered = http.post("/v1/session", auth=("canary", PASSWORD)).raise_for_status()
        cookie = entered.headers["set-cookie"].partition(";")[0]
        http.cookies.clear()
        headers = {"Cookie": cookie, "X-Request-ID": "forged\tid", "User-Agent": GUESS}
        http.get("/v1/session", headers={**headers, "Authorization": f"Bearer {GUESS}"})
        for path in ("/v1/session", "/v1/employees/7", "/v1/employees/7?expand=teams", "/v1/search?q=canary-query", "/v1/accounts", *ODD):
            http.get(path, headers=headers)
        http.post("/v1/employees", content=b"{", headers=headers)
        http.delete("/v1/session", headers=headers)
        yield from (PASSWORD, GUESS, cookie.partition("=")[2], admin["Cookie"].partition("=")[2])
        yield base64.b64encode(f"canary:{PASSWORD}".encode()).decode()
    yield from (roster.bearer("employees").split()[1], *(str(value) for name, value in roster.gateway.env.items() if "KEY" in name))


async def test_no_secret_is_in_any_log_and_no_line_is_forged(tmp_path: Path) -> None:
    servers, heads = RawServers(tmp_path), list[bytes]()
    teams = await servers.start(replying(b"HTTP/1.1 500 Oh\r\ncontent-length: 2\r\n\r\n{}", heads=heads))
    loud = {f"{name}_LOG_LEVEL": "debug" for name in ("EMPLOYEES", "GATEWAY")}
    with Roster(tmp_path / "roster", env={**loud, "GATEWAY_TEAMS_URL": teams, "GATEWAY_LOG_IN_LIMIT": "0"}) as roster:
        await asyncio.to_thread(roster.start, "employees", "gateway")
        secrets = await asyncio.to_thread(lambda: list(use(roster, roster.gateway.url)))
        direct = {"Authorization": roster.bearer("employees")}
        await asyncio.to_thread(httpx.get, f"{roster.employees.url}/v1/employees/7", headers=direct, timeout=30)
        logs = {name: (tmp_path / "roster" / f"{name}.log").read_text("utf-8") for name in ("employees", "gateway")}
    assertions = {head.partition(b"Bearer ")[2].split(b"\r\n")[0].decode() for head in heads}
    assert assertions - {""}
    for name, log in logs.items():
        lines = [json.loads(line) for line in log.splitlines() if not line.startswith("gateway: made the account")]
        assert {line["event"] for line in lines} >= {"request", "serving"}
        assert all(line["timestamp"].endswith(("Z", "+00:00")) and "level" in line for line in lines), "UTC"
        assert any(line["event"] == "request" and line["subject"].startswith("account:") and line["status"] for line in lines)
        for secret in (*secrets, *assertions - {""}, "canary-query"):
            assert secret not in log, (name, secret)
    await servers.stop()

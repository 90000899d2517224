"""Two gateway processes on one PostgreSQL, with and without Redis between them: what has ended at one has ended at the other."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from shared.testing.processes import PATIENT, Process, Roster, free_port
from shared.testing.proxy import Down, Latency, Proxy
from shared.testing.redis import RedisServer

FRESH = 1.0
"""Seconds for which a process may take a session for alive that has ended elsewhere."""


@pytest.fixture(params=["the database", "Redis"])
def pair(
    roster: Roster, postgresql_url: str, redis: RedisServer, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[list[Process]]:
    """Two gateways that look alike from outside; no service is needed for who is logged in."""
    told = {"GATEWAY_DATABASE_URL": postgresql_url, "GATEWAY_REDIS_URL": redis.url if request.param == "Redis" else ""}
    roster.gateway.env |= told
    port = free_port()
    second = Process("second", roster.gateway.command, tmp_path, port=port, env={**roster.gateway.env, "GATEWAY_PORT": str(port)})
    roster.start("gateway")
    second.start()
    second.wait_ready()
    yield [roster.gateway, second]
    second.kill()


def who(gateway: Process, cookie: str) -> int:
    return httpx.get(f"{gateway.url}/v1/session", headers={"Cookie": cookie}, timeout=20).status_code


def test_a_copied_cookie_is_dead_at_the_other_process(roster: Roster, pair: list[Process]) -> None:
    for here, there in (pair, pair[::-1]):
        cookie = roster.log_in()
        assert [who(gateway, cookie) for gateway in pair] == [200, 200]
        answer = httpx.delete(f"{here.url}/v1/session", headers={"Cookie": cookie}, timeout=20)
        ended = time.monotonic()
        assert answer.status_code == 204
        assert who(here, cookie) == 401
        while who(there, cookie) == 200:  # only until the answer may no longer be one second old
            assert time.monotonic() - ended < FRESH + 20, "it lives on"
        assert who(there, cookie) == 401


@pytest.mark.parametrize("pair", ["Redis"], indirect=True)
def test_a_redis_that_is_cut_off_lets_nobody_in(roster: Roster, pair: list[Process], redis: RedisServer) -> None:
    cookie = roster.log_in()
    assert [who(gateway, cookie) for gateway in pair] == [200, 200]
    redis.kill()
    time.sleep(FRESH)
    assert [who(gateway, cookie) for gateway in pair] == [503, 503]
    assert httpx.delete(f"{pair[0].url}/v1/session", headers={"Cookie": cookie}, timeout=20).status_code == 503
    redis.start()
    assert [who(gateway, cookie) for gateway in pair] == [200, 200]


def test_who_leaves_is_out_everywhere_though_the_gateway_that_heard_of_it_is_killed(
    roster: Roster, postgresql_url: str, redis: RedisServer, tmp_path: Path
) -> None:
    """One gateway follows employees, far from Redis, and is killed as soon as it has disabled an account; the other knows only Redis."""
    roster.gateway.env["GATEWAY_DATABASE_URL"] = postgresql_url
    deaf = {"GATEWAY_PORT": str(free_port()), "GATEWAY_REDIS_URL": redis.url, "GATEWAY_EMPLOYEES_URL": f"http://127.0.0.1:{free_port()}"}
    other = Process("other", roster.gateway.command, tmp_path, port=int(deaf["GATEWAY_PORT"]), env={**roster.gateway.env, **deaf})
    with Proxy(redis.port) as link:
        roster.gateway.env["GATEWAY_REDIS_URL"] = link.url.replace("http", "redis")
        roster.start("employees", "gateway")
        other.start()
        try:
            other.wait_ready()
            admin = {"Cookie": roster.log_in()}
            person, account, cookie = someone_with_an_account(roster, admin)
            assert who(other, cookie) == 200
            with link.fault(Latency(0.15), on="requests"):
                deactivate(roster, person)
                while not httpx.get(f"{other.url}{account}", headers=admin, timeout=20).json()["disabled"]:
                    pass
                with link.fault(Down()):
                    roster.gateway.kill()
                    ended = time.monotonic()
                    while who(other, cookie) == 200:
                        assert time.monotonic() - ended < FRESH + 20, "it lives on"
            assert who(other, cookie) == 401
        finally:
            other.kill()


def someone_with_an_account(roster: Roster, admin: dict[str, str]) -> tuple[int, str, str]:
    """Somebody's id, the path of the account that belongs to them, and the cookie of their session."""
    with httpx.Client(base_url=roster.gateway.url, headers=admin, timeout=30) as client:
        person = client.post("/v1/employees", json={"username": "ada", "email": "ada@example.org"}).raise_for_status().json()["id"]
        credentials = {"username": "ada", "password": "punched cards all over"}
        account = client.post("/v1/accounts", json={**credentials, "role": "viewer"}).raise_for_status().headers["location"]
        client.patch(account, json={"employee_id": person}).raise_for_status()
    begun = httpx.post(f"{roster.gateway.url}/v1/session", json=credentials, headers=PATIENT, timeout=30).raise_for_status()
    return person, account, begun.headers["set-cookie"].partition(";")[0]


def deactivate(roster: Roster, person: int) -> None:
    """At the service itself."""
    bearer = {"Authorization": roster.bearer("employees")}
    url = f"{roster.employees.url}/v1/employees/{person}"
    httpx.patch(url, json={"status": "inactive"}, headers=bearer, timeout=30).raise_for_status()

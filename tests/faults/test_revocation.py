"""Two gateway processes on one PostgreSQL, with and without Redis between them: what has ended at one has ended at the other."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from shared.testing.processes import Process, Roster, free_port
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

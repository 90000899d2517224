"""How often somebody may ask, and try a password."""

import asyncio
from collections import Counter
from typing import Any

import httpx
import msgspec
import pytest

from gateway import create_app
from gateway.edge.proxies import counted_as
from gateway.limits import MOST, _Here, _Rate
from shared.operations import Limit
from shared.testing.redis import RedisServer
from shared.testing.serving import serving

WRONG = {"username": "viewer", "password": "a guess"}
RIGHT = {"username": "viewer", "password": "correct battery staple horse"}
PROBES = ("/livez", "/readyz", "/metrics")


@pytest.fixture
def limited(settings: Any) -> Any:
    """The limits of log-ins that a gateway has by default, and few requests."""
    return msgspec.structs.replace(settings, log_in_limit=5, log_in_limit_address=20, rate_limit=50)


async def try_as(browser: Any, *bodies: dict[str, str], **options: Any) -> list[int]:
    return [(await browser("POST", "/v1/session", json=body, **options)).status_code for body in bodies]


async def test_five_tries_a_minute_for_one_username(limited: Any, open_house: Any) -> None:
    async with open_house(limited) as house:
        browser = house.browser()
        assert await try_as(browser, *[WRONG] * 4, {**WRONG, "username": "Viewer"}) == [401] * 5
        answer = await browser("POST", "/v1/session", json=RIGHT)
        assert answer.status_code == 429
        assert answer.json()["type"] == "urn:roster:problem:too-many-requests"
        assert 0 < int(answer.headers["retry-after"]) <= 60
        assert answer.headers["ratelimit-policy"] == '"log-in";q=5;w=60'
        assert answer.headers["ratelimit"] == f'"log-in";r=0;t={answer.headers["retry-after"]}'
        assert await try_as(browser, {**WRONG, "username": "editor"}) == [401]
        house.clock.now += 61
        assert await try_as(browser, RIGHT) == [200]  # nobody is locked out


async def test_twenty_tries_a_minute_from_one_address(limited: Any, open_house: Any) -> None:
    async with open_house(limited) as house:
        bodies = [{"username": f"somebody{number}", "password": "a guess"} for number in range(22)]
        assert await try_as(house.browser(), *bodies) == [401] * 20 + [429] * 2
        house.clock.now += 61
        assert await try_as(house.browser(), RIGHT) == [200]


async def test_a_session_is_no_way_around(limited: Any, open_house: Any) -> None:
    async with open_house(limited) as house:
        browser = await house.browser().log_in("editor")
        assert await try_as(browser, *[WRONG] * 6) == [401] * 5 + [429]


async def test_basic_credentials_are_counted_with_the_others(limited: Any, open_house: Any) -> None:
    async with open_house(limited) as house:
        browser = house.browser()
        assert await try_as(browser, *[WRONG] * 5) == [401] * 5
        assert (await browser("POST", "/v1/session", auth=("viewer", RIGHT["password"]))).status_code == 429


async def test_what_a_client_claims_of_its_address_counts_for_nothing(limited: Any, open_house: Any) -> None:
    trusting = msgspec.structs.replace(limited, trusted_proxies=("127.0.0.0/8",))
    for settings, told in ((limited, "198.51.100.{}"), (trusting, "198.51.100.{}, 203.0.113.9")):
        async with open_house(settings) as house:
            browser = house.browser()
            statuses = [await try_as(browser, WRONG, headers={"X-Forwarded-For": told.format(number)}) for number in range(6)]
            assert statuses == [[401]] * 5 + [[429]]
            if settings is trusting:  # somebody else behind the same proxy
                assert await try_as(browser, WRONG, headers={"X-Forwarded-For": "203.0.113.10"}) == [401]


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::9", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("/run/a:b.sock", "/run/a:b.sock"),
    ],
)
def test_one_machine_is_one_address(address: str, counted: str) -> None:
    assert counted_as(address) == counted


async def guess(url: str, number: int) -> int:
    """The status of a try with a wrong password, on a connection of its own."""
    host, port = url.removeprefix("http://").split(":")
    body = msgspec.json.encode({"username": f"user{number % 50}", "password": f"guess {number}"})
    head = b"POST /v1/session HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(head % len(body) + body)
    answer = await reader.read()
    writer.close()
    return int(answer.split()[1])


async def test_a_thousand_wrong_log_ins_at_once_keep_nobody_else_waiting(limited: Any) -> None:
    async with (
        serving(create_app(limited, clock=lambda: 1_800_000_000.0)) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as http,
    ):
        viewer = (await http.post("/v1/session", json=RIGHT)).headers["set-cookie"].partition(";")[0]
        http.cookies.clear()
        guesses = asyncio.gather(*(guess(url, number) for number in range(1_000)))
        reads = [(await http.get("/v1/session", headers={"Cookie": viewer})).status_code for _ in range(10)]
        statuses = Counter(await guesses)
    assert reads == [200] * 10
    assert statuses[429] == 981  # one of the twenty tries was the viewer's own
    assert statuses.keys() <= {401, 429, 503, 504}  # as many are checked as the processor can in their time


async def test_a_caller_is_limited_on_both_ways_through_and_others_are_not(settings: Any, open_house: Any) -> None:
    async with open_house(msgspec.structs.replace(settings, rate_limit=4)) as house:
        house.employees.on("GET /v1/employees/7", json={"id": 7})
        viewer, editor = await house.browser().log_in("viewer"), await house.browser().log_in("editor")
        answers = [await viewer.get(path) for path in ("/v1/employees/7", "/v1/session", "/v1/employees/7", "/v1/accounts")]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 403]
        assert [answer.headers["ratelimit"] for answer in answers] == [f'"caller";r={left};t=60' for left in (3, 2, 1, 0)]
        assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"caller";q=4;w=60'}
        for path in ("/v1/employees/7", "/v1/session"):
            answer = await viewer.get(path)
            assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["content-security-policy"]
        assert (await editor.get("/v1/employees/7")).status_code == 200
        assert len(house.employees.seen) == 3
        assert [(await house.browser().get("/")).status_code for _ in range(5)] == [200] * 4 + [429]
        for path in PROBES:
            probe = await house.browser().get(path)
            assert (probe.status_code, probe.headers.get("ratelimit")) == (200, None)
        house.clock.now += 60
        assert (await viewer.get("/v1/session")).status_code == 200


async def test_guessed_tokens_and_cookies_are_not_looked_up_beyond_what_an_address_may_ask(settings: Any, open_house: Any) -> None:
    """Without its database the gateway answers 503 to whatever it would have to look up."""
    async with open_house(msgspec.structs.replace(settings, rate_limit=6)) as house:
        viewer, other = [await house.browser().log_in(name) for name in ("viewer", "admin")]
        assert (await viewer.get("/v1/session")).status_code == 200
        shown = [{"Cookie": f"__Host-session={viewer.cookie}x"}, *({"Authorization": f"Bearer roster_{number:043}"} for number in range(5))]

        async def guess_all() -> set[int]:
            paths = ("/v1/session", "/v1/employees/7", "/v1/tokens")
            return {(await house.browser().get(path, headers=one)).status_code for path in paths for one in shown}

        assert await guess_all() == {401, 429}
        house.clock.now += 2
        assert (await viewer.get("/v1/session")).status_code == 200, "who was let in before goes on"
        assert (await other.get("/v1/session")).status_code == 200, "and who has just logged in"
        await house.app.extensions["db"].close()
        assert await guess_all() == {429}
        house.clock.now += 60
        assert await guess_all() == {401, 503}, "what is no cookie of ours is known without asking"


async def test_without_limits_nothing_is_counted(settings: Any, open_house: Any) -> None:
    async with open_house(msgspec.structs.replace(settings, rate_limit=0)) as house:
        answer = await house.browser()("POST", "/v1/session", json=WRONG)
        assert (answer.status_code, answer.headers.get("ratelimit")) == (401, None)


def test_every_route_has_a_limit(house: Any) -> None:
    limits = {route.name: route.limit for route in table_of(house.app).routes}
    assert {name for name, limit in limits.items() if limit is Limit.NOTHING} == {"livez", "readyz", "scrape"}
    assert {name for name, limit in limits.items() if limit is Limit.PASSWORD} == {"log_in", "finish_login"}
    assert len(limits) > 30


def table_of(app: Any) -> Any:
    layer = app.asgi_app
    while not hasattr(layer, "table"):
        layer = layer.app if hasattr(layer, "app") else layer._app
    return layer.table


async def test_processes_that_share_a_redis_allow_no_more_than_one(limited: Any, open_house: Any, redis: RedisServer) -> None:
    settings = msgspec.structs.replace(limited, redis_url=redis.url)
    async with open_house(settings) as first, open_house(settings, first.clock) as second:
        statuses = [(await try_as(house.browser(), WRONG))[0] for house in [first, second] * 4]
        assert statuses == [401] * 5 + [429] * 3


async def test_without_redis_each_process_goes_on_counting(limited: Any, open_house: Any, redis: RedisServer, capfd: Any) -> None:
    async with open_house(msgspec.structs.replace(limited, redis_url=redis.url)) as house:
        assert await try_as(house.browser(), *[WRONG] * 5) == [401] * 5
        redis.kill()
        assert await try_as(house.browser(), *[WRONG] * 6) == [401] * 5 + [429]
        assert "gateway_limits_alone 1.0" in (await house.browser().get("/metrics")).text
        redis.start()
        house.clock.now += 61
        assert await try_as(house.browser(), *[WRONG] * 6) == [401] * 5 + [429]
        assert "gateway_limits_alone 0.0" in (await house.browser().get("/metrics")).text
    assert capfd.readouterr().err.count("redis does not answer: each process limits log-ins for itself") == 1


def test_what_is_counted_here_is_bounded_and_the_oldest_goes_first() -> None:
    now = 0.0
    counts, rate = _Here(lambda: now), _Rate("caller", 9, "requests")

    def left(key: str) -> bytes:
        return counts.take(rate, key)[1][1]

    for number in range(MOST + 10):
        assert left(f"key{number}") == b'"caller";r=8;t=60'
    assert len(counts._counts) == MOST
    assert left("key10") == b'"caller";r=7;t=60'
    assert left("key9") == b'"caller";r=8;t=60', "forgotten, and begun anew"
    now = 60.0
    assert left("key11") == b'"caller";r=8;t=60'

"""Whose pages may read answers: those of listed origins, told apart byte by byte."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from shared.openapi.headers import CALLED, SOMETIMES

LISTED = "https://hr.example"
OTHERS = (
    "https://hr.example.evil",
    "https://evil-hr.example",
    "https://hr.example:8443",
    "http://hr.example",
    "https://HR.example",
    "https://hr.example/",
    "https://hr.example, https://evil.example",
    "null",
    "*",
    "",
)
PREFLIGHT = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "content-type"}
NEVER_READ = {"Allow", "Deprecation", "Set-Cookie", "Sunset", "Vary"}
"""By scripts: what is the browser's own, and what is told to people."""

PATHS = ("/v1/employees/7", "/v1/session", "/v1/nothing", "/v1/%2e%2e", "/v1/accounts")


@pytest_asyncio.fixture
async def listing(settings: Any, open_house: Any) -> AsyncIterator[Any]:
    async with open_house(msgspec.structs.replace(settings, origins=(LISTED,))) as house:
        house.employees.on("GET /v1/employees/7", json={"id": 7}, headers={"access-control-allow-origin": "*"})
        yield house


def told(answer: Any) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


async def test_the_page_of_a_listed_origin_may_read(listing: Any) -> None:
    viewer = await listing.browser().log_in("viewer")
    for path in PATHS:
        answer = await viewer.get(path, headers={"Origin": LISTED})
        assert told(answer)["access-control-allow-origin"] == LISTED
        assert told(answer)["access-control-allow-credentials"] == "true"
        assert "ETag" in told(answer)["access-control-expose-headers"]
        assert answer.headers["cache-control"] == "no-store"


async def test_the_page_of_a_listed_origin_may_send_and_read_every_header_that_is_documented(listing: Any) -> None:
    components = listing.app.extensions["openapi"]()["components"]
    taken = {one["name"] for one in components["parameters"].values() if one["in"] == "header"}
    given = {CALLED.get(name, name) for name in (told.removesuffix(SOMETIMES) for told in components["headers"])}
    answer = told(await listing.browser()("OPTIONS", "/v1/changes", headers={"Origin": LISTED, **PREFLIGHT}))
    assert taken - set(answer["access-control-allow-headers"].split(", ")) == set()
    assert given - set(answer["access-control-expose-headers"].split(", ")) == NEVER_READ


@pytest.mark.parametrize("origin", OTHERS)
async def test_no_other_origin_is_told_anything(listing: Any, origin: str) -> None:
    viewer = await listing.browser().log_in("viewer")
    for path in PATHS:
        assert told(await viewer.get(path, headers={"Origin": origin})) == {}
        assert told(await viewer("OPTIONS", path, headers={"Origin": origin, **PREFLIGHT})) == {}


async def test_without_a_list_nobody_is_told_anything(house: Any, viewer: Any) -> None:
    for origin in (LISTED, house.url, *OTHERS):
        assert told(await viewer.get("/v1/session", headers={"Origin": origin})) == {}
        assert told(await viewer("OPTIONS", "/v1/session", headers={"Origin": origin, **PREFLIGHT})) == {}


async def test_a_preflight_tells_the_methods_of_the_path(listing: Any) -> None:
    answer = await listing.browser()("OPTIONS", "/v1/employees/7", headers={"Origin": LISTED, **PREFLIGHT})
    assert answer.status_code == 204
    assert told(answer)["access-control-allow-methods"] == answer.headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"
    assert {"Content-Type", "If-Match", "Idempotency-Key"} <= set(told(answer)["access-control-allow-headers"].split(", "))
    assert "cookie" not in told(answer)["access-control-allow-headers"].lower()
    assert "access-control-allow-methods" not in told(await listing.browser()("OPTIONS", "/v1/employees/7", headers={"Origin": LISTED}))


async def test_the_page_of_a_listed_origin_may_write_too(listing: Any) -> None:
    listing.employees.on("POST /v1/employees", json={"id": 1}, status=201)
    editor = await listing.browser().log_in("editor")
    for site in ("same-site", "cross-site"):
        answer = await editor("POST", "/v1/employees", json={}, headers={"Origin": LISTED, "Sec-Fetch-Site": site})
        assert (answer.status_code, told(answer)["access-control-allow-origin"]) == (201, LISTED)

"""What a body may set, what a path may be asked, and who wins when many write at once."""

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.testing.databases import postgresql_database
from shared.testing.processes import Roster
from tests.security.conftest import Running

NEVER = {
    "id": 1,
    "version": 7,
    "created_at": "2020-01-01T00:00:00.000000Z",
    "updated_at": "2020-01-01T00:00:00.000000Z",
    "generation": 1,
    "disabled": False,
    "role": "admin",
    "hash": "x",
    "deleted": True,
    "is_admin": True,
    "__proto__": {},
}
"""What only the services themselves set, and what is set by few operations."""
MAY = {"disabled": {"patch_account"}, "role": {"create_account", "patch_account", "put_member"}}
"""By which operations."""
SAFE = ("GET", "HEAD", "OPTIONS")
AT_ONCE = 50


def document(running: Running, service: str) -> dict[str, Any]:
    found: dict[str, Any] = running.http.get(f"{running.urls[service]}/openapi.json").json()
    return found


def writes(described: dict[str, Any]) -> Iterator[tuple[str, str, str, set[str]]]:
    """Name, method, path with ids, and the fields of the JSON body of each operation that has one."""
    for path, methods in described["paths"].items():
        for method, one in methods.items():
            schema = one.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            if schema is not None:
                fields = described["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["properties"].keys()
                yield one["operationId"], method.upper(), re.sub(r"{\w+}", "1", path), set(fields)


def headers(running: Running, service: str) -> dict[str, str]:
    return running.as_("admin") if service == "gateway" else {"Authorization": running.roster.bearer(service)}


@pytest.mark.parametrize("service", ["employees", "teams", "gateway"])
def test_a_body_sets_nothing_that_the_service_sets(running: Running, service: str) -> None:
    for url, record in (("employees", {"username": "ada", "email": "ada@roster.example"}), ("teams", {"slug": "crew", "name": "Crew"})):
        running.http.post(f"{running.urls[url]}/v1/{url}", json=record, headers=headers(running, url))  # there may be one of that name
    found = list(writes(document(running, service)))
    assert len(found) >= 3
    for name, method, path, fields in found:
        assert fields & NEVER.keys() == {field for field, operations in MAY.items() if name in operations}, name
        for field in NEVER.keys() - fields:
            answer = running.http.request(
                method, running.urls[service] + path, json={field: NEVER[field]}, headers=headers(running, service)
            )
            assert answer.status_code == 422, (name, field, answer.text)
            assert field in {error["field"] for error in answer.json()["errors"]}, (name, field, answer.text)


@pytest.mark.parametrize("service", ["employees", "teams", "gateway"])
def test_trace_and_methods_that_nobody_knows_are_refused_on_every_path(running: Running, service: str) -> None:
    for path, methods in document(running, service)["paths"].items():
        for method in ("TRACE", "TRACK", "PROPFIND"):
            answer = running.http.request(method, running.urls[service] + re.sub(r"{\w+}", "1", path), headers=headers(running, service))
            if method == "TRACK":  # is no method at all to the parser
                assert answer.status_code == 400
                continue
            assert answer.status_code == 405, (path, answer.text)
            assert answer.headers["content-type"] == "application/problem+json"
            assert {one.upper() for one in methods} <= set(answer.headers["allow"].split(", ")), path


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_of_fifty_patches_with_one_etag_one_is_taken(kind: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        database = {} if kind == "sqlite" else {"EMPLOYEES_DATABASE_URL": stack.enter_context(postgresql_database())}
        roster = stack.enter_context(Roster(tmp_path, env=database))
        await asyncio.to_thread(roster.start, "employees", "gateway")
        cookie = await asyncio.to_thread(roster.log_in)
        sent = {"Cookie": cookie, "Content-Type": "application/merge-patch+json"}
        async with httpx.AsyncClient(base_url=roster.gateway.url, trust_env=False, timeout=60) as http:
            body = {"username": "ada", "email": "ada@roster.example"}
            made = (await http.post("/v1/employees", json=body, headers={"Cookie": cookie})).raise_for_status()
            path, tag = made.headers["location"], {"If-Match": made.headers["etag"], "X-Request-Timeout-Ms": "10000"}
            patches = (http.patch(path, content=b'{"title":"%d"}' % number, headers={**sent, **tag}) for number in range(AT_ONCE))
            answers = await asyncio.gather(*patches)
            (taken,) = [answer.json() for answer in answers if answer.status_code == 200]
            now = (await http.get(path, headers={"Cookie": cookie})).json()
    assert Counter(answer.status_code for answer in answers) == {200: 1, 412: AT_ONCE - 1}
    assert (now["version"], now["title"]) == (2, taken["title"])


def test_figures_and_pages_can_be_left_out(tmp_path: Path) -> None:
    settings = {f"{name}_{field}": "false" for name in ("EMPLOYEES", "TEAMS", "GATEWAY") for field in ("METRICS", "DOCS")}
    with Roster(tmp_path, env=settings) as roster:
        roster.start("employees", "teams", "gateway")
        for service in (roster.employees, roster.teams, roster.gateway):
            for path in ("/metrics", "/docs"):
                assert httpx.get(service.url + path, timeout=20).status_code == 404
            assert httpx.get(f"{service.url}/livez", timeout=20).status_code == 200

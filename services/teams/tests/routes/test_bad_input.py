"""Whatever comes in: a problem document, never a 5xx, and nothing is stored."""

from typing import Any

import pytest

JSON = {"Content-Type": "application/json"}
GOOD = '{"slug": "x", "name": "X"}'
BODIES: dict[str, tuple[bytes, int]] = {
    "empty": (b"", 400),
    "no JSON": (b"{slug}", 400),
    "NaN": (b'{"slug": "x", "name": NaN}', 400),
    "infinity": (b'{"slug": "x", "name": 1e999}', 400),
    "invalid UTF-8": (b'{"slug": "x", "name": "\xff"}', 400),
    "UTF-16": (GOOD.encode("utf-16"), 400),
    "NUL": (b'{"slug": "x", "name": "a\\u0000b"}', 400),
    "lone surrogate": (b'{"slug": "x", "name": "\\ud800"}', 400),
    "duplicate key": (b'{"slug": "x", "slug": "y", "name": "X"}', 400),
    "deep": (b"[" * 5000 + b"]" * 5000, 400),
    "deep value": (b'{"slug": "x", "name": ' + b"[" * 100 + b"]" * 100 + b"}", 400),
    "list": (b"[]", 422),
    "null": (b"null", 422),
    "unknown field": (b'{"slug": "x", "name": "X", "version": 7}', 422),
    "wrong types": (b'{"slug": 1, "name": [], "parent_id": "1"}', 422),
    "too large number": (b'{"slug": "x", "name": "X", "parent_id": 9223372036854775808}', 422),
    "huge number": (b'{"slug": "x", "name": "X", "parent_id": ' + b"9" * 300 + b"}", 422),
    "fraction": (b'{"slug": "x", "name": "X", "parent_id": 1.5}', 422),
    "zero": (b'{"slug": "x", "name": "X", "parent_id": 0}', 422),
    "true": (b'{"slug": "x", "name": "X", "parent_id": true}', 422),
    "upper-case slug": (b'{"slug": "X", "name": "X"}', 422),
    "slug with a line break": (b'{"slug": "x\\n", "name": "X"}', 422),
    "slug with a dot": (b'{"slug": "..", "name": "X"}', 422),
    "other digits": ('{"slug": "١", "name": "X"}'.encode(), 422),
    "long slug": (b'{"slug": "' + b"x" * 65 + b'", "name": "X"}', 422),
    "empty name": (b'{"slug": "x", "name": ""}', 422),
    "blank name": (b'{"slug": "x", "name": " "}', 422),
    "control character": (b'{"slug": "x", "name": "a\\u0007"}', 422),
    "empty text": (b'{"slug": "x", "name": "X", "description": ""}', 422),
    "large": (b'{"slug": "x", "name": "' + b"x" * 70_000 + b'"}', 413),
}


@pytest.mark.parametrize("name", BODIES)
async def test_a_bad_body_is_refused_by_every_operation_that_takes_one(lite: Any, name: str) -> None:
    await lite.team("core")
    await lite.join(1, 7)
    before = await lite.everything()
    data, status = BODIES[name]
    for method, path in (("POST", "/v1/teams"), ("PUT", "/v1/teams/1")):
        answer = await lite(method, path, data=data, headers=JSON)
        assert (answer.status, answer.headers["Content-Type"]) == (status, "application/problem+json"), answer.body
        assert answer.json["request_id"]
    for method, path in (("PATCH", "/v1/teams/1"), ("PUT", "/v1/teams/1/members/7"), ("PUT", "/v1/teams/1/members/8")):
        assert (await lite(method, path, data=data, headers=JSON)).status in (400, 413, 422)
    assert await lite.everything() == before


QUERIES = [
    ("/v1/teams", "nope=1", "nope"),
    ("/v1/teams", "limit=0", "limit"),
    ("/v1/teams", "limit=201", "limit"),
    ("/v1/teams", "limit=1e1", "limit"),
    ("/v1/teams", "limit=1&limit=2", "limit"),
    ("/v1/teams", "sort=secret", "sort"),
    ("/v1/teams", "sort=name,id", "sort"),
    ("/v1/teams", "fields=words", "fields"),
    ("/v1/teams", "count=yes", "count"),
    ("/v1/teams", "cursor=abc", "cursor"),
    ("/v1/teams", "id=" + ",".join(["1"] * 101), "id"),
    ("/v1/teams", "id=1,,2", "id"),
    ("/v1/teams", "id=9223372036854775808", "id"),
    ("/v1/teams", "id=-1", "id"),
    ("/v1/teams", "slug=A", "slug"),
    ("/v1/teams", "parent_id=some", "parent_id"),
    ("/v1/teams", "q=%00", "q"),
    ("/v1/teams", "q=---", "q"),
    ("/v1/teams", "q=", "q"),
    ("/v1/teams", "q=a+b+c+d+e+f+g+h+i+j+k", "q"),
    ("/v1/teams/1", "expand=members", "expand"),
    ("/v1/teams/1/subteams", "depth=0", "depth"),
    ("/v1/teams/1/subteams", "depth=1001", "depth"),
    ("/v1/teams/1/members", "include=all", "include"),
    ("/v1/teams/1/members", "role=boss", "role"),
    ("/v1/teams/1/effective-members", "cursor=%7b%7d", "cursor"),
    ("/v1/memberships", "employee_id=x", "employee_id"),
    ("/v1/memberships", "effective=1", "effective"),
    ("/v1/changes", "after=nothing", "after"),
    ("/v1/changes", "wait=61", "wait"),
    ("/v1/teams/export", "format=xml", "format"),
]


@pytest.mark.parametrize(("path", "query", "field"), QUERIES)
async def test_a_bad_parameter_is_a_400_that_names_it(lite: Any, path: str, query: str, field: str) -> None:
    await lite.team("core")
    answer = await lite("GET", f"{path}?{query}")
    assert answer.status == 400, answer.body
    assert any(found.partition(".")[0] == field for found in answer.fields), answer.body


async def test_an_altered_cursor_is_a_400(api: Any) -> None:
    for slug in "abc":
        await api.team(slug)
        await api.join(1, ord(slug))
    for path in ("/v1/teams?sort=name&", "/v1/teams/1/members?", "/v1/teams/1/effective-members?", "/v1/memberships?"):
        cursor = (await api("GET", f"{path}limit=1")).json["next"]
        first = "B" if cursor[0] == "A" else "A"
        for other in (cursor[:-1], cursor + "A", cursor.swapcase(), first + cursor[1:], cursor[::-1], cursor + "%0a"):
            answer = await api("GET", f"{path}limit=1&cursor={other}")
            assert (answer.status, answer.fields) == (400, ["cursor"]), other
        assert (await api("GET", f"{path}limit=1&cursor={cursor}")).status == 200


async def test_unknown_paths_and_methods_are_problems(lite: Any) -> None:
    for path in (
        "/v1/teams/",
        "/v1/teams/x",
        "/v1/teams/-1",
        "/v1/teams/01",
        "/v1/teams/1/../1",
        "/v1//teams",
        "/v1/teams/%31%2f",
        "/nothing",
    ):
        answer = await lite("GET", path)
        assert (answer.status, answer.headers["Content-Type"]) == (404, "application/problem+json"), path
    wrong = await lite("POST", "/v1/teams/1")
    assert wrong.status == 405
    assert set(wrong.headers["Allow"].replace(" ", "").split(",")) >= {"GET", "PUT", "PATCH", "DELETE"}


ROWS: dict[str, bytes] = {
    "invalid UTF-8": b"slug,name\nx,\xff\n",
    "NUL": b"slug,name\nx,a\0b\n",
    "open quote": b'slug,name\nx,"a\n',
    "too many cells": b"slug,name\nx,a,b\n",
    "long line": b"slug,name\nx," + b"a" * 100_000 + b"\n",
    "slug": b"slug,name\nA B,a\n",
}


@pytest.mark.parametrize("name", ROWS)
async def test_a_bad_row_is_refused_alone(lite: Any, name: str) -> None:
    answer = await lite("POST", "/v1/teams/import", data=ROWS[name] + b"good,Good\n", headers={"Content-Type": "text/csv"})
    assert answer.status == 200, answer.body
    assert answer.json["refused"] >= 1
    assert [item["slug"] for item in (await lite("GET", "/v1/teams")).items] in (["good"], [])
    assert (name == "open quote") or answer.json["created"] == 1

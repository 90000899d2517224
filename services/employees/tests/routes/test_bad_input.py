"""Input that no client should send: a problem document every time, never a 5xx, and nothing stored."""

import json
from typing import Any

import pytest

JSON = {"Content-Type": "application/json"}
GOOD = '"username":"new","email":"new@example.org"'
BODIES: dict[str, bytes] = {
    "nothing": b"",
    "not JSON": b"{",
    "a list": b"[]",
    "a number": b"1",
    "null": b"null",
    "NaN": b'{"manager_id":NaN}',
    "infinity": b'{"manager_id":1e999}',
    "a key twice": b'{"username":"a","username":"b","email":"a@b"}',
    "invalid UTF-8": b'{"username":"\xff"}',
    "UTF-16": '{"username":"a"}'.encode("utf-16"),
    "a NUL": f'{{{GOOD},"title":"a\\u0000b"}}'.encode(),
    "half a surrogate pair": f'{{{GOOD},"title":"\\ud800"}}'.encode(),
    "deep nesting": b'{"title":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "an id beyond 64 bits": f'{{{GOOD},"manager_id":9223372036854775808}}'.encode(),
    "a huge id": f'{{{GOOD},"manager_id":1{"0" * 400}}}'.encode(),
    "an id that is a fraction": f'{{{GOOD},"manager_id":1.5}}'.encode(),
    "an id that is text": f'{{{GOOD},"manager_id":"1"}}'.encode(),
    "an id that is true": f'{{{GOOD},"manager_id":true}}'.encode(),
    "an unknown manager": f'{{{GOOD},"manager_id":9223372036854775807}}'.encode(),
    "an unknown field": f'{{{GOOD},"salary":1}}'.encode(),
    "a field of the service": f'{{{GOOD},"id":7,"version":9,"created_at":"x"}}'.encode(),
    "a wrong type": b'{"username":1,"email":[]}',
    "an empty text": f'{{{GOOD},"title":""}}'.encode(),
    "a line break": f'{{{GOOD},"title":"a\\nb"}}'.encode(),
    "a long text": json.dumps({"username": "a", "email": "a@b", "title": "x" * 201}).encode(),
    "a blank username": b'{"username":" ","email":"a@b"}',
    "a comma in the username": b'{"username":"a,b","email":"a@b"}',
    "a date that is none": f'{{{GOOD},"hired_on":"2021-02-29"}}'.encode(),
    "a date with a time": f'{{{GOOD},"hired_on":"2021-02-28T00:00:00Z"}}'.encode(),
    "left before hired": f'{{{GOOD},"hired_on":"2021-02-28","left_on":"2020-01-01"}}'.encode(),
    "ten megabytes": b'{"title":"' + b"x" * 10_000_000 + b'"}',
}
WRITES = (("POST", "/v1/employees"), ("PUT", "/v1/employees/1"), ("PATCH", "/v1/employees/1"))


def is_problem(answer: Any) -> bool:
    document = answer.json
    assert answer.headers["Content-Type"] == "application/problem+json", answer.body
    return 400 <= answer.status < 500 and document["status"] == document["code"] == answer.status and bool(document["detail"])


@pytest.mark.parametrize("name", BODIES)
async def test_a_bad_body_is_a_problem_and_stores_nothing(api: Any, name: str) -> None:
    await api.add("ada")
    before = await api.everything()
    for method, path in WRITES:
        assert is_problem(await api(method, path, data=BODIES[name], headers=JSON)), (method, path)
    assert await api.everything() == before


@pytest.mark.parametrize("name", sorted(BODIES.keys() - {"a field of the service", "an empty text"}))  # both mean something in a table
async def test_a_bad_table_is_a_problem_or_a_refused_row(api: Any, name: str) -> None:
    await api.add("ada")
    before = await api.everything()
    for media_type in ("text/csv", "application/x-ndjson"):
        headers = {"Content-Type": media_type}
        answer = await api("POST", "/v1/employees/import?atomic=true", data=BODIES[name], headers=headers)
        assert answer.status in (200, 422)
        assert answer.status == 422 or sum(answer.json[name] for name in ("created", "updated", "refused")) == 0
    assert await api.everything() == before


@pytest.mark.parametrize("media_type", [None, "text/plain", "application/xml", "application/json; charset=latin-1", "json", "*/*"])
async def test_another_content_type_is_refused(lite: Any, media_type: str | None) -> None:
    await lite.add("ada")
    headers = {} if media_type is None else {"Content-Type": media_type}
    for method, path in (*WRITES, ("POST", "/v1/employees/import")):
        answer = await lite(method, path, data=b"{}", headers=headers)
        assert (answer.status, is_problem(answer)) == (415, True)


@pytest.mark.parametrize(
    "segment", ["0", "01", "-1", "1.0", "9223372036854775808", "9" * 40, "%D9%A1", "x", "1%2F..", "..%2f1", "%00", "%FF"]
)
async def test_a_path_that_is_no_id_is_not_found(lite: Any, segment: str) -> None:
    await lite.add("ada")
    for method, rest in (("GET", ""), ("DELETE", ""), ("PATCH", ""), ("GET", "/reports"), ("GET", "/managers")):
        answer = await lite(method, f"/v1/employees/{segment}{rest}", {} if method == "PATCH" else None)
        assert (answer.status, is_problem(answer)) == (404, True)


@pytest.mark.parametrize(
    "query", ["x=1", "%FF=1", "limit=%FF", "limit=%", "limit=1%00", "limit=%D9%A1", "q=%ED%A0%80", "sort=" + "x" * 5000]
)
async def test_a_bad_query_is_a_problem(api: Any, query: str) -> None:
    await api.add("ada")
    for path in ("", "/1", "/1/reports", "/1/managers", "/export"):
        assert is_problem(await api("GET", f"/v1/employees{path}?{query}")), path
    assert is_problem(await api("DELETE", f"/v1/employees/1?{query}"))


@pytest.mark.parametrize("condition", ["1", '"1', "W/1", '"1" "2"', "\x7f"])
async def test_a_malformed_condition_is_a_problem(lite: Any, condition: str) -> None:
    await lite.add("ada")
    assert is_problem(await lite("DELETE", "/v1/employees/1", headers={"If-Match": condition}))


async def test_the_highest_id_is_unknown_not_an_error(api: Any) -> None:
    assert (await api("GET", "/v1/employees/9223372036854775807")).status == 404
    assert (await api("GET", "/v1/employees?id=9223372036854775807")).items == []

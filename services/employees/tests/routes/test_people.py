"""Employees one by one: create, read, replace, patch, delete."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from shared.testing.calls import Calls

Add = Callable[..., Awaitable[int]]


async def test_a_created_employee_has_a_location_an_etag_and_every_field(api: Any) -> None:
    answer = await api("POST", "/v1/employees", {"username": "ada", "email": "ada@example.org", "hired_on": "2020-02-29"})
    assert (answer.status, answer.headers["Location"], answer.headers["ETag"]) == (201, "/v1/employees/1", '"1"')
    assert answer.json == (await api.employee(1))
    assert answer.json | {"created_at": "", "updated_at": ""} == {
        **dict.fromkeys(answer.json),
        **{"id": 1, "username": "ada", "email": "ada@example.org", "status": "active", "hired_on": "2020-02-29", "version": 1},
        **{"created_at": "", "updated_at": ""},
    }


@pytest.mark.parametrize("field", ["username", "email"])
async def test_username_and_email_are_unique_without_regard_to_case(api: Any, field: str) -> None:
    await api.add("straße", email="STRASSE@example.org")
    other = {"username": "other", "email": "other@example.org"} | {field: {"username": "STRASSE", "email": "straße@EXAMPLE.org"}[field]}
    answer = await api("POST", "/v1/employees", other)
    assert (answer.status, answer.fields) == (409, [field])


async def test_an_employee_number_is_unique_when_given(api: Any) -> None:
    await api.add("ada", employee_number="7")
    await api.add("bob")
    await api.add("cyd")
    answer = await api("PATCH", "/v1/employees/2", {"employee_number": "7"})
    assert (answer.status, answer.fields) == (409, ["employee_number"])


async def test_an_error_lists_every_wrong_field(api: Any) -> None:
    await api.add("ada", employee_number="7")
    answer = await api(
        "POST", "/v1/employees", {"username": "a b", "email": "x", "status": "gone", "hired_on": "2020-13-01", "nickname": 1}
    )
    assert (answer.status, sorted(answer.fields)) == (422, ["email", "hired_on", "nickname", "status", "username"])
    body = {"username": "ADA", "email": "new@example.org", "employee_number": "7", "manager_id": 99}
    answer = await api("POST", "/v1/employees", body | {"hired_on": "2020-02-02", "left_on": "2020-02-01"})
    assert (answer.status, sorted(answer.fields)) == (422, ["employee_number", "left_on", "manager_id", "username"])


async def test_replacing_empties_what_is_left_out_and_patching_keeps_it(api: Any) -> None:
    await api.add("ada", title="Countess", phone="1")
    answer = await api("PATCH", "/v1/employees/1", {"phone": None, "title": "Lady"})
    assert (answer.status, answer.json["title"], answer.json["phone"], answer.headers["ETag"]) == (200, "Lady", None, '"2"')
    answer = await api("PUT", "/v1/employees/1", {"username": "Ada", "email": "ada@example.org"})
    assert (answer.status, answer.json["title"], answer.json["version"], answer.json["username"]) == (200, None, 3, "Ada")


async def test_what_changes_nothing_makes_no_version(api: Any) -> None:
    await api.add("ada", title="Countess")
    before = await api.everything()
    assert (await api("PATCH", "/v1/employees/1", {"title": "Countess"})).json["version"] == 1
    assert await api.everything() == before


async def test_a_stale_if_match_is_refused(api: Any) -> None:
    await api.add("ada")
    await api("PATCH", "/v1/employees/1", {"title": "Lady"})
    for method, body in (("PATCH", {"title": "x"}), ("PUT", {"username": "a", "email": "a@b"}), ("DELETE", None)):
        answer = await api(method, "/v1/employees/1", body, headers={"If-Match": '"1"'})
        assert (answer.status, answer.headers["ETag"]) == (412, '"2"')
    assert (await api("DELETE", "/v1/employees/1", headers={"If-Match": '"2"'})).status == 204


async def test_a_known_version_is_not_sent_again(api: Any) -> None:
    await api.add("ada")
    answer = await api("GET", "/v1/employees/1", headers={"If-None-Match": '"1"'})
    assert (answer.status, answer.body) == (304, b"")


async def test_only_the_plain_json_record_has_an_etag(lite: Any) -> None:
    await lite.add("ada")
    assert "ETag" not in (await lite("GET", "/v1/employees/1?fields=id")).headers
    answer = await lite("GET", "/v1/employees/1", headers={"Accept": "application/yaml"})
    assert (answer.status, "ETag" in answer.headers, b"username: ada" in answer.body) == (200, False, True)
    made = await lite("POST", "/v1/employees", {"username": "b", "email": "b@c"}, headers={"Accept": "application/yaml"})
    assert (made.status, "ETag" in made.headers) == (201, False)


async def test_a_repeated_post_adds_nobody(api: Any) -> None:
    body, key = {"username": "ada", "email": "ada@example.org"}, {"Idempotency-Key": "k1"}
    first = await api("POST", "/v1/employees", body, headers=key)
    again = await api("POST", "/v1/employees", body, headers=key)
    assert (again.status, again.body, again.headers["Location"]) == (201, first.body, "/v1/employees/1")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (await api("POST", "/v1/employees", body | {"title": "x"}, headers=key)).status == 422
    assert len((await api("GET", "/v1/employees")).items) == 1


@pytest.mark.parametrize(
    "path", ["/v1/employees/1", "/v1/employees/1/reports", "/v1/employees/1/reports?depth=3", "/v1/employees/1/managers"]
)
async def test_who_does_not_exist_is_not_found(api: Any, path: str) -> None:
    assert (await api("GET", path)).status == 404


async def test_a_manager_must_exist_be_active_and_not_close_a_loop(api: Any) -> None:
    await api.add("ada")
    await api.add("bob", 1)
    await api.add("cyd", 2)
    await api.add("dee", status="inactive")
    for manager in (1, 3, 4, 99):
        answer = await api("PATCH", "/v1/employees/1", {"manager_id": manager})
        assert (answer.status, answer.fields) == (422, ["manager_id"]), manager


async def test_who_has_reports_stays_unless_they_are_given_to_someone(api: Any) -> None:
    for name, manager in (("ada", None), ("bob", 1), ("cyd", 2), ("dee", 2)):
        await api.add(name, manager)
    for method, body in (("DELETE", None), ("PATCH", {"status": "inactive"})):
        answer = await api(method, "/v1/employees/2", body)
        assert (answer.status, answer.json["reports"]) == (409, 2)
        assert "2 reports" in answer.json["detail"]
    answer = await api("PATCH", "/v1/employees/2?reassign_reports_to=1", {"status": "inactive"})
    assert answer.status == 200
    assert [(await api.employee(number))["manager_id"] for number in (2, 3, 4)] == [1, 1, 1]
    assert (await api("DELETE", "/v1/employees/1?reassign_reports_to=none")).status == 204
    assert [(await api.employee(number))["manager_id"] for number in (2, 3, 4)] == [None] * 3


@pytest.mark.parametrize("heir", [2, 3, 4, 99])
async def test_an_heir_is_active_and_outside_of_the_line(api: Any, heir: int) -> None:
    for name, manager, status in (("ada", None, "active"), ("bob", 1, "active"), ("cyd", 2, "active"), ("dee", 1, "inactive")):
        await api.add(name, manager, status=status)
    before = await api.everything()
    answer = await api("DELETE", f"/v1/employees/2?reassign_reports_to={heir}")
    assert (answer.status, answer.fields) == (422, ["reassign_reports_to"])
    assert await api.everything() == before


async def test_reassigning_without_leaving_is_refused(lite: Any) -> None:
    await lite.add("ada")
    answer = await lite("PATCH", "/v1/employees/1?reassign_reports_to=none", {"title": "x"})
    assert (answer.status, answer.fields) == (422, ["reassign_reports_to"])


async def test_an_id_is_never_given_again(api: Any) -> None:
    await api.add("ada")
    await api("DELETE", "/v1/employees/1")
    assert await api.add("ada") == 2


async def test_routes_say_what_they_take(lite: Calls) -> None:
    answer = await lite("POST", "/v1/employees/1")
    assert (answer.status, "PATCH" in answer.headers["Allow"]) == (405, True)

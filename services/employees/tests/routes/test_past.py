"""`?as_of=` and the history, as a client of the service sees them."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest


def today() -> str:
    return datetime.now(UTC).date().isoformat()


async def instant(api: Any, employee_id: int) -> str:
    """When someone's record was changed last."""
    return str((await api.employee(employee_id))["updated_at"])


async def test_a_record_is_as_it_was_and_says_what_instant_that_is(api: Any) -> None:
    ada = await api.add("ada", title="Engineer")
    then = await instant(api, ada)
    await api("PATCH", f"/v1/employees/{ada}", {"title": "Boss"})
    await api("DELETE", f"/v1/employees/{ada}")
    answer = await api("GET", f"/v1/employees/{ada}?as_of={then}")
    assert (answer.status, answer.json["title"], answer.json["version"]) == (200, "Engineer", 1)
    assert answer.headers["x-as-of"] == then
    assert answer.headers["x-as-of-stable"] >= then
    assert "etag" not in answer.headers
    only = await api("GET", f"/v1/employees/{ada}?as_of={then}&fields=title")
    assert only.json == {"title": "Engineer"}
    gone = await api("GET", f"/v1/employees/{ada}?as_of={today()}")
    assert gone.status == 404
    assert gone.headers["x-as-of-stable"] >= gone.headers["x-as-of"] > then
    assert (await api("GET", f"/v1/employees/{ada}?as_of=2020-01-01")).status == 404


async def test_it_is_never_a_304_and_a_malformed_condition_is_still_a_400(lite: Any) -> None:
    ada = await lite.add("ada")
    assert (await lite("GET", f"/v1/employees/{ada}?as_of={today()}", headers={"If-None-Match": '"1"'})).status == 200
    assert (await lite("GET", f"/v1/employees/{ada}?as_of={today()}", headers={"If-None-Match": "1"})).status == 400


async def test_all_pages_of_a_list_show_the_instant_of_the_first(api: Any) -> None:
    people = [await api.add(name, department="R") for name in ("a", "b", "c", "d")]
    path = f"/v1/employees?department=r&limit=2&count=true&as_of={today()}"
    first = await api("GET", path)
    await api("DELETE", f"/v1/employees/{people[3]}")
    await api("PATCH", f"/v1/employees/{people[2]}", {"department": "S"})
    await api.add("e", department="R")
    link = first.headers["link"].partition(">")[0].removeprefix("<")
    second = await api("GET", link)
    assert [one["id"] for one in (*first.json["items"], *second.json["items"])] == people
    assert (first.json["total"], second.json["total"], second.json["next"]) == (4, 4, None)
    assert second.headers["x-as-of"] == first.headers["x-as-of"]
    now = await api("GET", path)
    assert now.json["total"] == 3, "asked anew, today is what it has become"


async def test_a_cursor_goes_on_with_its_own_instant_only(lite: Any) -> None:
    for name in ("a", "b", "c"):
        await lite.add(name)
    then = await instant(lite, 3)
    past = (await lite("GET", f"/v1/employees?limit=1&as_of={then}")).json["next"]
    present = (await lite("GET", "/v1/employees?limit=1")).json["next"]
    for path in (
        f"/v1/employees?limit=1&cursor={past}",
        f"/v1/employees?limit=1&cursor={present}&as_of={then}",
        f"/v1/employees?limit=1&cursor={past}&as_of={await instant(lite, 2)}",
        f"/v1/employees?limit=1&cursor={past}&as_of=2020-01-01",
    ):
        answer = await lite("GET", path)
        assert (answer.status, answer.json["errors"][0]["field"]) == (400, "cursor"), path
    assert (await lite("GET", f"/v1/employees?limit=1&cursor={past}&as_of={then}")).json["items"][0]["id"] == 2


@pytest.mark.parametrize(
    ("query", "status", "fields"),
    [
        ("as_of=yesterday", 400, ["as_of"]),
        ("as_of=2026-02-31", 400, ["as_of"]),
        ("as_of=2026-01-01T00:00:00", 400, ["as_of"]),
        ("as_of=2999-01-01", 422, ["as_of"]),
        ("as_of=2999-01-01T00:00:00Z", 422, ["as_of"]),
        ("as_of=2026-01-01&q=ada", 422, ["q"]),
        ("as_of=2026-01-01&sort=username", 422, ["sort"]),
        ("as_of=2026-01-01&sort=-id&q=x", 422, ["q", "sort"]),
        ("as_of=2026-01-01&as_of=2026-01-01", 400, ["as_of"]),
    ],
)
async def test_what_can_t_be_asked_is_named(lite: Any, query: str, status: int, fields: list[str]) -> None:
    answer = await lite("GET", f"/v1/employees?{query}")
    assert (answer.status, [error["field"] for error in answer.json["errors"]]) == (status, fields)


async def test_lines_batches_and_the_export_are_as_they_were(api: Any) -> None:
    ada = await api.add("ada")
    bob = await api.add("bob", manager_id=ada)
    cyd = await api.add("cyd", manager_id=bob)
    then = quote(await instant(api, cyd))
    await api("PATCH", f"/v1/employees/{cyd}", {"manager_id": None, "username": "zoe"})
    assert [one["username"] for one in await api.walk(f"/v1/employees/{ada}/reports?depth=3&limit=1&as_of={then}")] == ["bob", "cyd"]
    assert [one["id"] for one in await api.walk(f"/v1/employees/{cyd}/managers?limit=1&as_of={then}")] == [bob, ada]
    assert [one["id"] for one in (await api("GET", f"/v1/employees?username=cyd&as_of={then}")).json["items"]] == [cyd]
    assert (await api("GET", f"/v1/employees?id={cyd},99&as_of={then}")).json["items"][0]["username"] == "cyd"
    export = await api("GET", f"/v1/employees/export?format=ndjson&as_of={then}")
    assert b'"username":"cyd"' in export.body
    assert b'"username":"zoe"' not in export.body
    assert export.headers["x-as-of"]


async def test_while_others_write_an_answer_for_today_is_of_one_instant(api: Any) -> None:
    """A page and its total are two statements: both show one state, though somebody comes or goes all the time."""
    await api.add("first")

    async def write() -> None:
        for number in range(20):
            added = await api.add(f"u{number}")
            if number % 2:
                await api("DELETE", f"/v1/employees/{added}")

    writing = asyncio.create_task(write())
    for _ in range(15):
        answer = await api("GET", f"/v1/employees?limit=200&count=true&as_of={today()}")
        assert answer.json["total"] == len(answer.json["items"])
        again = await api("GET", f"/v1/employees?limit=200&count=true&as_of={answer.headers['x-as-of']}")
        assert again.json == answer.json
    await writing


async def test_a_history_says_who_when_and_what_also_after_the_end(api: Any) -> None:
    ada = await api.add("ada", title="Engineer")
    path = f"/v1/employees/{ada}"
    then = await instant(api, ada)
    await api("PATCH", path, {"title": "Boss", "phone": "1"}, headers={"X-Request-ID": "promotion-1"})
    await api("DELETE", path)
    deleted, updated, created = (await api("GET", f"{path}/history")).json["items"]
    assert (updated["request_id"], updated["version"], updated["actor"], updated["actor_name"]) == ("promotion-1", 2, "open", "open")
    assert updated["changes"] == [
        {"field": "title", "old": "Engineer", "new": "Boss"},
        {"field": "phone", "old": None, "new": "1"},
    ]
    assert (deleted["kind"], deleted["version"]) == ("deleted", 3)
    assert {"field": "title", "old": "Boss", "new": None} in deleted["changes"]
    assert (created["kind"], created["at"]) == ("created", then)
    assert await api.walk(f"{path}/history?limit=1") == [deleted, updated, created]
    assert (await api("GET", f"{path}/history?as_of={then}")).json["items"] == [created]
    assert (await api("GET", f"{path}/history?as_of=2020-01-01")).status == 404
    assert (await api("GET", "/v1/employees/99/history")).status == 404

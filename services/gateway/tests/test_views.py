"""What is put together from both services, and what becomes of it when one of them fails."""

from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest

TIMEOUT = {"X-Request-Timeout-Ms": "800"}


def employee(id_: int, manager_id: int | None = None, **more: Any) -> dict[str, Any]:
    return {"id": id_, "username": f"user{id_}", "status": "active", "manager_id": manager_id, **more}


def team(id_: int, parent_id: int | None = None) -> dict[str, Any]:
    return {"id": id_, "slug": f"team{id_}", "parent_id": parent_id}


def member(team_id: int, employee_id: int) -> dict[str, Any]:
    return {"id": 1, "team_id": team_id, "employee_id": employee_id, "role": "member", "since": "2026-01-02"}


def page(*items: Any, following: str | None = None) -> dict[str, Any]:
    return {"items": list(items), "next": following}


def by_id(record: Any, answer: Any) -> Any:
    """A list endpoint that is asked by ids."""

    def answered(seen: Any) -> Any:
        ids = [int(one) for one in parse_qs(seen.query)["id"][0].split(",")]
        assert len(ids) <= 100
        return answer(page(*(record(one) for one in ids)))

    return answered


@pytest.fixture
def told(house: Any) -> Any:
    """A small directory: employee 7 under 3, in team 5; team 5 under 2."""
    employees, teams = house.employees, house.teams
    answer = type_of_answer(house)
    employees.on("GET /v1/employees/7", json=employee(7, 3, extra={"kept": True}))
    employees.on("GET /v1/employees/3", json=employee(3))
    employees.on("GET /v1/employees/7/reports", json=page(employee(8, 7, depth=1), following="c"))
    employees.on("GET /v1/employees", by_id(employee, answer))
    teams.on("GET /v1/memberships", json=page(member(5, 7)))
    teams.on("GET /v1/teams", by_id(team, answer))
    teams.on("GET /v1/teams/5", json=team(5, 2))
    teams.on("GET /v1/teams/2", json=team(2))
    teams.on("GET /v1/teams/5/members", json=page(*(member(5, id_) for id_ in range(1, 151))))
    teams.on("GET /v1/teams/5/subteams", json=page(team(6, 5)))
    return house


def type_of_answer(house: Any) -> Any:
    house.employees.on("GET /probe", json=None)
    return type(house.employees._answers["GET /probe"])


async def test_an_employee_with_everything(told: Any, viewer: Any) -> None:
    answer = await viewer.get("/v1/employees/7?expand=manager,teams,reports")
    document = answer.json()
    assert (document["id"], document["extra"], document["manager"]["id"]) == (7, {"kept": True}, 3)
    assert document["teams"] == page({"role": "member", "since": "2026-01-02", "team": team(5)})
    assert document["reports"] == page(employee(8, 7, depth=1), following="c")
    assert answer.headers["x-gateway-complete"] == "true"
    assert "etag" not in answer.headers
    assert "_parts" not in document


async def test_only_what_was_asked_for_is_asked(told: Any, viewer: Any) -> None:
    document = (await viewer.get("/v1/employees/3?expand=manager")).json()
    assert document["manager"] is None
    assert "teams" not in document
    assert told.teams.seen == []


async def test_members_come_with_their_records_in_batches(told: Any, viewer: Any) -> None:
    document = (await viewer.get("/v1/teams/5?expand=members,parent,subteams")).json()
    assert [one["employee"]["id"] for one in document["members"]["items"]] == list(range(1, 151))
    assert document["parent"]["id"] == 2
    assert document["subteams"] == page(team(6, 5))
    assert len(told.employees.seen) == 2


FAILURES: list[tuple[dict[str, Any], int]] = [
    ({"status": 503, "json": {"detail": "busy"}, "headers": {"retry-after": "7"}}, 503),
    ({"status": 500, "json": {}}, 502),
    ({"status": 302, "json": {}, "headers": {"location": "http://evil.example/"}}, 502),
    ({"status": 401, "json": {}}, 502),
    ({"status": 504, "json": {}}, 504),
    ({"hang": True}, 504),
    ({"body": b"<html>", "headers": {"content-type": "text/html"}}, 502),
    ({"body": b"{"}, 502),
    ({"body": b'{"id": NaN}'}, 502),
    ({"body": b"[" * 200_000}, 502),
    ({"body": b'{"x":"' + b"y" * 1_100_000 + b'"}'}, 502),
    ({"json": {"id": "7"}}, 502),
    ({"json": page({"id": 1})}, 502),
    ({"json": [], "headers": {"content-encoding": "gzip"}}, 502),
    ({"cut": True, "json": {}}, 502),
]


async def test_a_required_part_that_fails_is_the_whole_answers_failure(told: Any, viewer: Any) -> None:
    for failure, status in FAILURES:
        told.employees.on("GET /v1/employees/7", **failure)
        answer = await viewer.get("/v1/employees/7?expand=teams", headers=TIMEOUT)
        assert answer.status_code == status, failure
        assert answer.headers["content-type"] == "application/problem+json"
        assert (status == 503) is ("retry-after" in answer.headers)
    told.employees.on("GET /v1/employees/7", status=404, json={"detail": "there is no employee 7"})
    assert (await viewer.get("/v1/employees/7?expand=teams")).json()["detail"] == "there is no employee 7"


@pytest.mark.parametrize(("size", "status"), [(2**20, 200), (2**20 + 1, 502)])
async def test_an_answer_of_up_to_a_mebibyte_is_merged(told: Any, viewer: Any, size: int, status: int) -> None:
    head = b'{"id":7,"username":"ada","status":"active","manager_id":null,"x":"'
    told.employees.on("GET /v1/employees/7", body=head + b"y" * (size - len(head) - 2) + b'"}')
    assert (await viewer.get("/v1/employees/7?expand=teams")).status_code == status


@pytest.mark.parametrize(("depth", "status"), [(32, 200), (33, 502)])
async def test_an_answer_of_up_to_32_levels_is_merged(told: Any, viewer: Any, depth: int, status: int) -> None:
    inner: Any = 1
    for _ in range(depth - 1):
        inner = [inner]
    told.employees.on("GET /v1/employees/7", json=employee(7, extra=inner))
    assert (await viewer.get("/v1/employees/7?expand=teams")).status_code == status


async def test_an_optional_part_that_fails_is_null_and_named(told: Any, viewer: Any) -> None:
    for failure, status in FAILURES:
        told.teams.on("GET /v1/memberships", **failure)
        answer = await viewer.get("/v1/employees/7?expand=manager,teams", headers=TIMEOUT)
        assert answer.status_code == 200, failure
        document = answer.json()
        assert document["teams"] is None
        assert document["manager"]["id"] == 3
        (missing,) = document["_parts"]
        assert (missing["part"], missing["status"]) == ("teams", status)
        assert missing["type"].startswith("urn:roster:problem:")
        assert answer.headers["x-gateway-complete"] == "false"
        assert answer.headers["cache-control"] == "no-store"


async def test_strict_handling_makes_every_part_required(told: Any, viewer: Any) -> None:
    headers = {"Prefer": "respond-async, handling=strict"}
    assert (await viewer.get("/v1/employees/7?expand=teams", headers=headers)).headers["preference-applied"] == "handling=strict"
    told.teams.on("GET /v1/memberships", status=503, json={})
    assert (await viewer.get("/v1/employees/7?expand=teams", headers=headers)).status_code == 503
    told.employees.on("GET /v1/employees", status=500, json={})
    assert (await viewer.get("/v1/teams/5?expand=members", headers=headers)).status_code == 502


async def test_members_stay_when_their_records_are_missing(told: Any, viewer: Any) -> None:
    told.employees.on("GET /v1/employees", status=503, json={})
    answer = await viewer.get("/v1/teams/5?expand=members")
    document = answer.json()
    assert {(one["employee_id"], one["employee"]) for one in document["members"]["items"]} == {(id_, None) for id_ in range(1, 151)}
    assert [one["part"] for one in document["_parts"]] == ["members.employee"]
    assert answer.headers["x-gateway-complete"] == "false"


async def test_search_finds_both_kinds_or_says_which_is_missing(told: Any, viewer: Any) -> None:
    told.employees.on("GET /v1/employees", json=page(employee(7)))
    told.teams.on("GET /v1/teams", json=page(team(5), following="c"))
    found = (await viewer.get("/v1/search?q=a%20b&limit=5")).json()
    assert found["employees"]["items"][0]["type"] == "employee"
    assert found["teams"] == {"items": [{"type": "team", **team(5)}], "next": "c"}
    assert parse_qs(told.teams.seen[-1].query) == {"q": ["a b"], "limit": ["5"]}
    told.employees.on("GET /v1/employees", status=503, json={})
    found = (await viewer.get("/v1/search?q=a")).json()
    assert found["employees"] is None
    assert found["teams"]["items"]
    told.teams.on("GET /v1/teams", status=503, json={})
    assert (await viewer.get("/v1/search?q=a")).status_code == 503


async def test_an_org_chart_is_a_tree(told: Any, viewer: Any) -> None:
    below = [employee(8, 7, depth=1), employee(9, 7, depth=1), employee(10, 8, depth=2)]
    told.employees.on("GET /v1/employees/7/reports", json=page(*below))
    chart = (await viewer.get("/v1/org-chart?root=7&depth=2")).json()
    assert (chart["levels"], chart["cut"]) == (2, False)
    eight, nine = chart["root"]["reports"]
    assert (eight["id"], nine["id"], nine["reports"]) == (8, 9, [])
    assert [one["reports"] for one in eight["reports"]] == [None]


async def test_a_chart_that_is_too_large_is_cut_to_whole_levels(told: Any, viewer: Any) -> None:
    pages = {"": (1, 1), **{str(n): (1 + n * 200, 2) for n in range(1, 5)}}
    answer = type_of_answer(told)

    def reports(seen: Any) -> Any:
        cursor = parse_qs(seen.query).get("cursor", [""])[0]
        first, depth = pages[cursor]
        items = [employee(100 + n, 7 if depth == 1 else 100 + first, depth=depth) for n in range(first, first + 200)]
        return answer(page(*items, following=str(int(cursor or 0) + 1)))

    told.employees.on("GET /v1/employees/7/reports", reports)
    chart = (await viewer.get("/v1/org-chart?root=7&depth=3")).json()
    assert (chart["levels"], chart["cut"]) == (1, True)
    assert len(chart["root"]["reports"]) == 200
    assert {one["reports"] is None for one in chart["root"]["reports"]} == {True}
    pages.update({key: (first, 1) for key, (first, _) in pages.items()})
    assert (await viewer.get("/v1/org-chart?root=7&depth=1")).status_code == 422


async def test_wrong_queries_are_named_and_ask_nobody(told: Any, viewer: Any) -> None:
    table = [
        ("/v1/employees/7?expand=", "expand"),
        ("/v1/employees/7?expand=boss", "expand"),
        ("/v1/employees/7?expand=teams&fields=id", "fields"),
        ("/v1/employees/7?expand=teams&expand=teams", "expand"),
        ("/v1/teams/5?expand=manager", "expand"),
        ("/v1/search", "q"),
        ("/v1/search?q=", "q"),
        ("/v1/search?q=a&limit=51", "limit"),
        ("/v1/search?q=%00", "q"),
        ("/v1/org-chart", "root"),
        ("/v1/org-chart?root=0", "root"),
        ("/v1/org-chart?root=7&depth=11", "depth"),
        ("/v1/org-chart?root=9223372036854775808", "root"),
    ]
    for path, field in table:
        answer = await viewer.get(path)
        assert answer.status_code == 400, path
        assert answer.json()["errors"][0]["field"].startswith(field), path
    assert told.employees.seen == told.teams.seen == []


async def test_a_service_that_is_gone_is_a_503_in_time(told: Any, viewer: Any, settings: Any, open_house: Any) -> None:
    gone = msgspec.structs.replace(settings, employees_url="http://127.0.0.1:1", teams_url="http://127.0.0.1:1")
    async with open_house(gone, told.clock, alone=True) as house:
        browser = house.browser()
        browser.cookie = viewer.cookie
        for path in ("/v1/employees/7", "/v1/employees/7?expand=teams", "/v1/teams/5", "/v1/search?q=a", "/v1/memberships/export"):
            answer = await browser.get(path)
            assert answer.status_code == 503
            assert answer.headers["retry-after"]

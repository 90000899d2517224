"""Memberships by username, in front of services that do as they are told."""

from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest

from gateway import memberships
from gateway.clients import Ask
from gateway.memberships.exports import COLUMNS
from gateway.routes.context import EXTENSION
from shared.identity import Caller
from shared.transfers import ExportQuery, export_table

REPORT = {"created": 1, "updated": 0, "unchanged": 0, "refused": 0, "refusals": []}


@pytest.fixture
def told(house: Any) -> Any:
    """An employees service that knows user1 to user900, and a teams service that takes everything."""
    house.employees.on("GET /probe")
    answer = type(house.employees._answers["GET /probe"])

    def listed(seen: Any) -> Any:
        query = parse_qs(seen.query)
        names, ids = query.get("username", [""])[0].split(","), query.get("id", [""])[0].split(",")
        assert len(names) <= 100
        assert len(ids) <= 100
        found = [int(name.removeprefix("user")) for name in names if name.startswith("user")] + [int(one) for one in ids if one]
        return answer({"items": [{"id": one, "username": f"User{one}"} for one in found if one <= 900], "next": None})

    house.employees.on("GET /v1/employees", listed)
    house.teams.on("POST /v1/memberships/import", json=REPORT)
    return house


async def upload(browser: Any, text: str, query: str = "", media_type: str = "text/csv") -> Any:
    return await browser("POST", f"/v1/memberships/import{query}", content=text.encode(), headers={"Content-Type": media_type})


def passed_on(house: Any) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in house.teams.seen[-1].body.splitlines()]


async def test_usernames_become_ids_and_lines_keep_their_numbers(told: Any, editor: Any) -> None:
    text = "team,username,role\r\na,USER1,lead\r\n\r\nb,user2,\r\n"
    answer = await upload(editor, text)
    assert answer.status_code == 200
    assert answer.json() == REPORT
    assert passed_on(told) == [
        {"line": 2, "employee_id": 1, "team": "a", "role": "lead"},
        {"line": 4, "employee_id": 2, "team": "b", "role": None},
    ]
    assert told.teams.seen[-1].query == "atomic=false&dry_run=false"
    assert told.teams.seen[-1].headers["content-type"] == "application/x-ndjson"


async def test_a_column_that_is_absent_stays_absent(told: Any, editor: Any) -> None:
    await upload(
        editor, '{"team":"a","username":"user1"}\n{"team":"a","username":"user2","since":"2026-01-02"}\n', media_type="application/x-ndjson"
    )
    assert passed_on(told) == [
        {"line": 1, "employee_id": 1, "team": "a"},
        {"line": 2, "employee_id": 2, "team": "a", "since": "2026-01-02"},
    ]


async def test_unknown_people_are_refused_by_line_among_the_services_own_refusals(told: Any, editor: Any) -> None:
    report = {**REPORT, "refused": 1, "refusals": [{"line": 4, "field": "employee_id", "message": "has been deleted"}]}
    told.teams.on("POST /v1/memberships/import", json=report)
    answer = await upload(editor, "team,username\na,nobody\na,user1\na,user2\na,\na,a b\nx\n")
    document = answer.json()
    assert (document["created"], document["refused"]) == (1, 5)
    assert [(one["line"], one["field"]) for one in document["refusals"]] == [
        (2, "username"),
        (4, "username"),
        (5, "username"),
        (6, "username"),
        (7, ""),
    ]
    assert len(passed_on(told)) == 2


async def test_a_refusal_keeps_little_of_what_the_line_held(told: Any, editor: Any) -> None:
    """A hundred thousand refused lines are kept until the end, and each may be 64 KiB long."""
    answer = await upload(editor, f"team,username\na,{'n' * 60_000}\n")
    (refused,) = answer.json()["refusals"]
    assert len(refused["message"]) < 200


async def test_many_lines_are_resolved_in_batches(told: Any, editor: Any) -> None:
    text = "team,username\n" + "".join(f"a,user{n}\nb,user{n}\n" for n in range(1, 901))
    assert (await upload(editor, text)).status_code == 200
    assert [line["employee_id"] for line in passed_on(told)] == [n for n in range(1, 901) for _ in range(2)]
    assert [line["line"] for line in passed_on(told)] == list(range(2, 1802))
    assert len(told.employees.seen) <= 19


async def test_atomic_with_an_unknown_person_stores_nothing_and_tells_all(told: Any, editor: Any) -> None:
    answer = await upload(editor, "team,username\na,nobody\na,user1\n", "?atomic=true")
    assert answer.status_code == 422
    document = answer.json()
    assert (document["type"], document["refused"], document["refusals"][0]["line"]) == ("urn:roster:problem:invalid", 1, 2)
    assert told.teams.seen[-1].query == "atomic=false&dry_run=true"


async def test_atomic_is_the_teams_services_to_keep(told: Any, editor: Any) -> None:
    assert (await upload(editor, "team,username\na,user1\n", "?atomic=true")).status_code == 200
    assert told.teams.seen[-1].query == "atomic=true&dry_run=false"
    refused = {**REPORT, "created": 0, "refused": 1, "refusals": [{"line": 2, "field": "team", "message": "there is no team a"}]}
    told.teams.on("POST /v1/memberships/import", status=422, json={**refused, "detail": "nothing was stored"})
    answer = await upload(editor, "team,username\na,user1\n", "?atomic=true")
    assert answer.status_code == 422
    assert answer.json()["refusals"] == refused["refusals"]


async def test_a_dry_run_is_passed_on(told: Any, editor: Any) -> None:
    assert (await upload(editor, "team,username\na,user1\n", "?dry_run=true")).status_code == 200
    assert told.teams.seen[-1].query == "atomic=false&dry_run=true"


async def test_what_cannot_be_imported_is_said(told: Any, editor: Any) -> None:
    table = [
        ("team,employee_id\na,1\n", "text/csv", 422),
        ("", "text/csv", 422),
        ("team\na\n", "text/csv", 422),
        ("{}", "application/json", 415),
        ("team,username\na,user1\n", "text/plain", 415),
    ]
    for text, media_type, status in table:
        for query in ("", "?atomic=true"):
            assert (await upload(editor, text, query, media_type)).status_code == status, text
    assert (await upload(editor, "team,username\n", "?atomic=maybe")).status_code == 400


async def test_a_service_that_fails_ends_the_import(told: Any, editor: Any) -> None:
    for status, expected in ((503, 503), (500, 502), (504, 504)):
        told.employees.on("GET /v1/employees", status=status, json={})
        for query in ("", "?atomic=true"):
            assert (await upload(editor, "team,username\na,user1\n", query)).status_code == expected
    told.employees.on("GET /v1/employees", json={"items": [{"id": 1, "username": "user1"}], "next": None})
    for failure, expected in (({"status": 503}, 503), ({"status": 403, "json": {"detail": "no"}}, 403), ({"json": {"created": 1}}, 502)):
        told.teams.on("POST /v1/memberships/import", **failure)
        for query in ("", "?atomic=true"):
            assert (await upload(editor, "team,username\na,user1\n", query)).status_code == expected


def line(team: str, employee_id: int) -> bytes:
    return msgspec.json.encode({"team": team, "employee_id": employee_id, "role": "member", "since": "2026-01-02"}) + b"\n"


async def test_an_export_names_people_by_username(told: Any, viewer: Any) -> None:
    lines = b"".join(line("a", n) for n in range(1, 251)) + line("b", 901)
    told.teams.on("GET /v1/memberships/export", body=lines, headers={"content-type": "application/x-ndjson"})
    answer = await viewer.get("/v1/memberships/export")
    head, *rows = answer.text.splitlines()
    assert head == "team,username,role,since"
    assert rows == [f"a,User{n},member,2026-01-02" for n in range(1, 251)]
    assert len(told.employees.seen) == 3
    answer = await viewer.get("/v1/memberships/export?format=ndjson")
    assert msgspec.json.decode(answer.text.splitlines()[0])["username"] == "User1"


async def test_an_empty_export_is_a_header(told: Any, viewer: Any) -> None:
    told.teams.on("GET /v1/memberships/export", body=b"")
    assert (await viewer.get("/v1/memberships/export")).text == "team,username,role,since\r\n"
    assert (await viewer.get("/v1/memberships/export", headers={"Accept": "image/png"})).status_code == 406


async def test_an_export_that_fails_does_not_look_whole(told: Any, viewer: Any) -> None:
    for body in (b"{}\n", b"rubbish\n", b"x" * 100_000):
        told.teams.on("GET /v1/memberships/export", body=body)
        assert (await viewer.get("/v1/memberships/export")).status_code == 502
    told.teams.on("GET /v1/memberships/export", status=503)
    assert (await viewer.get("/v1/memberships/export")).status_code == 503


@pytest.mark.parametrize("taken", [0, 1, 2])
async def test_an_export_that_is_left_gives_up_its_place_at_once(told: Any, taken: int) -> None:
    told.teams.on("GET /v1/memberships/export", body=b"".join(line("core", 1 + number % 900) for number in range(50_000)))
    parts = told.app.extensions[EXTENSION]
    transfers = parts.teams.calls.lanes["transfers"]
    rows = memberships.export_rows(parts.employees, parts.teams, Ask(Caller("account:1", "ada", "viewer", "gateway"), "r", "t", None))
    async with told.app.test_request_context("/v1/memberships/export"):
        body: Any = (await export_table(ExportQuery(), "memberships", COLUMNS, rows)).response
    async with body:
        chunks = aiter(body)
        for _ in range(taken):
            assert await anext(chunks)
        assert transfers.busy == 1
    assert transfers.busy == 0


async def test_a_member_must_be_there_and_active(told: Any, editor: Any) -> None:
    path, body = "/v1/teams/5/members/7", {"role": "lead"}
    told.teams.on(f"PUT {path}", status=201, json={"team_id": 5, "employee_id": 7}, headers={"etag": '"1"', "location": path})
    assert (await editor("PUT", path, json=body)).status_code == 404
    assert told.teams.seen == []
    someone = {"id": 7, "username": "ada", "manager_id": None}
    told.employees.on("GET /v1/employees/7", json={**someone, "status": "inactive"})
    answer = await editor("PUT", path, json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "employee_id"
    assert told.teams.seen == []
    told.employees.on("GET /v1/employees/7", json={**someone, "status": "active"})
    answer = await editor("PUT", path, json=body, headers={"If-Match": '"3"'})
    assert answer.status_code == 201
    assert (answer.headers["etag"], answer.headers["location"]) == ('"1"', path)
    (seen,) = told.teams.seen
    assert (msgspec.json.decode(seen.body), seen.headers["if-match"]) == (body, '"3"')
    other = await editor("PUT", path, json=body, headers={"Accept": "application/yaml"})
    assert (other.status_code, other.headers["content-type"], "etag" in other.headers) == (201, "application/yaml", False)
    told.teams.on(f"PUT {path}", status=412, json={"detail": "stale"})
    assert (await editor("PUT", path, json=body)).status_code == 412


async def test_a_member_is_not_added_unchecked(told: Any, editor: Any) -> None:
    for failure, status in (({"status": 503}, 503), ({"hang": True}, 504), ({"status": 500}, 502)):
        told.employees.on("GET /v1/employees/7", **failure)
        granted = {"X-Request-Timeout-Ms": "500"} if "hang" in failure else {}
        answer = await editor("PUT", "/v1/teams/5/members/7", json={}, headers=granted)
        assert answer.status_code == status
        assert "employees" in answer.json()["detail"]
    assert told.teams.seen == []

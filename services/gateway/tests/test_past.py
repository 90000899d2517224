"""Joined answers as of an instant: every service is asked for the same one, and the answer says up to when it is settled."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest

AT = "2026-03-01T12:00:00.000000Z"
EARLY, LATE = "2026-04-01T00:00:00.000000Z", "2026-05-01T00:00:00.000000Z"


def person(id_: int, manager_id: int | None = None, **more: Any) -> dict[str, Any]:
    return {"id": id_, "username": f"user{id_}", "status": "active", "manager_id": manager_id, **more}


def page(*items: Any) -> dict[str, Any]:
    return {"items": list(items), "next": None}


def asked(seen: Any) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(seen.query).items()}


class Then:
    """Answers for whatever instant it is asked for, settled up to `stable`; says neither when `silent`."""

    def __init__(self, house: Any) -> None:
        house.employees.on("GET /probe", json=None)
        self.told = type(house.employees._answers["GET /probe"])

    def __call__(self, document: Any, stable: str = LATE, *, silent: bool = False) -> Any:
        def answer(seen: Any) -> Any:
            headers = {} if silent or "as_of" not in asked(seen) else {"x-as-of": asked(seen)["as_of"], "x-as-of-stable": stable}
            return self.told(document, headers=headers)

        return answer


@pytest.fixture
def then(house: Any) -> Then:
    """Employee 7 under 3, in team 5 below 2."""
    found = Then(house)
    employees, teams = house.employees, house.teams
    employees.on("GET /v1/employees/7", found(person(7, 3)))
    employees.on("GET /v1/employees/3", found(person(3)))
    employees.on("GET /v1/employees/7/reports", found(page(person(8, 7, depth=1))))
    employees.on("GET /v1/employees/3/reports", found(page(person(7, 3, depth=1))))
    employees.on("GET /v1/employees", found(page(person(7, 3))))
    teams.on("GET /v1/memberships", found(page({"team_id": 5, "employee_id": 7, "role": "lead", "since": "2026-01-02"}), EARLY))
    teams.on("GET /v1/teams", found(page({"id": 5, "slug": "five", "parent_id": 2})))
    teams.on("GET /v1/teams/5", found({"id": 5, "slug": "five", "parent_id": 2}))
    teams.on("GET /v1/teams/2", found({"id": 2, "slug": "two", "parent_id": None}))
    teams.on("GET /v1/teams/5/members", found(page({"team_id": 5, "employee_id": 7, "role": "lead", "since": "2026-01-02"}), EARLY))
    teams.on("GET /v1/teams/5/subteams", found(page()))
    return found


COMPOSED = (
    "/v1/employees/7?expand=manager,teams,reports",
    "/v1/teams/5?expand=members,parent,subteams",
    "/v1/org-chart?root=3&depth=2",
)


@pytest.mark.usefixtures("then")
@pytest.mark.parametrize("path", COMPOSED)
async def test_every_service_is_asked_for_one_instant(house: Any, viewer: Any, path: str) -> None:
    answer = await viewer.get(f"{path}&as_of=2026-03-01T13:00:00%2B01:00")
    assert answer.status_code == 200, answer.text
    seen = [one for one in (*house.employees.seen, *house.teams.seen) if one.path.startswith("/v1/")]
    assert seen
    assert {asked(one).get("as_of") for one in seen} == {AT}
    assert answer.headers["x-as-of"] == AT
    assert answer.headers["x-as-of-stable"] == (LATE if "org-chart" in path else EARLY), "the earlier of both"
    assert "etag" not in answer.headers


@pytest.mark.usefixtures("then")
async def test_today_is_one_moment_for_all(house: Any, viewer: Any) -> None:
    before = datetime.now(UTC).isoformat()[:26]
    answer = await viewer.get(f"{COMPOSED[0]}&as_of={before[:10]}")
    told = {asked(one).get("as_of") for one in (*house.employees.seen, *house.teams.seen) if one.path.startswith("/v1/")}
    assert told == {answer.headers["x-as-of"]}
    assert before <= answer.headers["x-as-of"] <= datetime.now(UTC).isoformat()
    answer = await viewer.get(f"{COMPOSED[0]}&as_of=2026-03-01")
    assert answer.headers["x-as-of"] == "2026-03-01T23:59:59.999999Z"


async def test_a_service_that_does_not_know_the_past_is_no_part_of_the_answer(house: Any, viewer: Any, then: Then) -> None:
    house.teams.on("GET /v1/memberships", then(page(), silent=True))
    answer = await viewer.get(f"/v1/employees/7?expand=teams&as_of={AT}")
    assert (answer.status_code, answer.headers["x-gateway-complete"]) == (200, "false")
    assert answer.json()["teams"] is None
    house.employees.on("GET /v1/employees/7", then(person(7, 3), silent=True))
    assert (await viewer.get(f"/v1/employees/7?expand=teams&as_of={AT}")).status_code == 502


@pytest.mark.usefixtures("then")
async def test_what_can_t_be_asked_is_named(house: Any, viewer: Any) -> None:
    refused = await viewer.get(f"/v1/search?q=ada&as_of={AT}")
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "q")
    for bad in ("yesterday", "2026-02-31", "2026-03-01T12:00:00"):
        answer = await viewer.get(f"/v1/org-chart?root=3&as_of={bad}")
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "as_of"), bad
    future = {"detail": "as_of: is in the future", "errors": [{"field": "as_of", "message": "is in the future"}]}
    house.employees.on("GET /v1/employees/3", json=future, status=422, headers={"content-type": "application/problem+json"})
    house.employees.on("GET /v1/employees/3/reports", json=future, status=422, headers={"content-type": "application/problem+json"})
    answer = await viewer.get("/v1/org-chart?root=3&as_of=2999-01-01")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "as_of")


@pytest.mark.usefixtures("then")
async def test_a_forwarded_answer_keeps_what_it_says_of_its_time(viewer: Any) -> None:
    answer = await viewer.get(f"/v1/employees/7?as_of={AT}")
    assert (answer.headers["x-as-of"], answer.headers["x-as-of-stable"]) == (AT, LATE)


async def test_an_export_of_memberships_names_people_as_they_were(house: Any, viewer: Any, then: Then) -> None:
    row = msgspec.json.encode({"team": "five", "employee_id": 7, "role": "lead", "since": "2026-01-02"}) + b"\n"
    headers = {"content-type": "application/x-ndjson", "x-as-of": AT, "x-as-of-stable": LATE}
    house.teams.on("GET /v1/memberships/export", then.told(None, headers=headers, body=row))
    house.employees.on("GET /v1/employees", then(page({"id": 7, "username": "as.she.was"}), EARLY))
    answer = await viewer.get(f"/v1/memberships/export?as_of={AT}")
    assert answer.text.splitlines()[1] == "five,as.she.was,lead,2026-01-02"
    assert (answer.headers["x-as-of"], answer.headers["x-as-of-stable"]) == (AT, EARLY)
    assert {asked(one)["as_of"] for one in (*house.employees.seen, *house.teams.seen) if one.path.startswith("/v1/")} == {AT}

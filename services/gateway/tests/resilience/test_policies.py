"""Both ways through the gateway meet the same policies, and every route has one."""

import asyncio
import math
from collections import Counter
from os import cpu_count
from typing import Any, get_args

import pytest
from msgspec.structs import replace

from gateway import create_app, views
from gateway.clients import UPSTREAMS
from gateway.config import Settings
from gateway.routes.context import EXTENSION
from gateway.schemas.directory import EmployeePart, TeamPart
from shared.errors import Overloaded
from shared.feed import BUDGET
from shared.operations import PUBLIC, operation_of

FORWARDED = "/v1/employees/7"
EMPLOYEE = {"id": 7, "username": "ada", "status": "active", "manager_id": None}
COMPOSED = "/v1/employees/7?expand=manager"
PHRASE = "correct battery staple horse"


def test_every_forwarded_route_has_the_policy_of_its_rule(settings: Settings) -> None:
    edge: Any = create_app(settings).asgi_app
    routes = {(route.upstream, route.name): route for route in edge.app.table.routes}
    for service, rules in UPSTREAMS.items():
        for rule in rules:
            assert rule.allow is not PUBLIC
            lasts = rule.budget in (math.inf, BUDGET)
            assert lasts == (rule.lane != "requests"), "what may last for minutes must not take the places of what has a deadline"
            if rule.public:
                route = routes[service, rule.name]
                assert (route.allow, route.budget, route.lane) == (rule.allow, rule.budget, rule.lane)


def test_the_way_to_each_service_is_as_wide_and_as_patient_as_the_page_says(settings: Settings) -> None:
    parts = create_app(replace(settings, connect_timeout_ms=Settings().connect_timeout_ms)).extensions[EXTENSION]
    for calls in (parts.employees.calls, parts.teams.calls):
        assert calls.respected == 0.25
        assert [(pool.connect_timeout, pool.wait_timeout, pool.size) for pool in calls.pools] == [(0.25, 0.05, 144), (0.25, 0.05, 200)]
        sizes = {name: [places.size for places in lane.places.values()] for name, lane in calls.lanes.items()}
        assert sizes == {"requests": [64, 64], "transfers": [16, 16], "feeds": [200, 200]}


def test_every_joined_answer_says_which_of_its_parts_may_be_missing(settings: Settings) -> None:
    app = create_app(settings)
    joined = {
        found.name for endpoint, view in app.view_functions.items() if endpoint.startswith("directory.") and (found := operation_of(view))
    }
    assert views.PLANS.keys() == joined
    for plan in views.PLANS.values():
        assert plan.required | plan.optional
        assert not plan.required & plan.optional
    assert set(get_args(EmployeePart)) == views.PLANS["expand_employee"].optional
    assert set(get_args(TeamPart)) == {name for name in views.PLANS["expand_team"].optional if "." not in name}


@pytest.mark.parametrize("path", [FORWARDED, COMPOSED])
async def test_a_failure_is_tried_again_on_both_ways(house: Any, viewer: Any, path: str) -> None:
    house.employees.in_turn("GET /v1/employees/7", {"status": 503}, {"json": EMPLOYEE})
    assert (await viewer.get(path)).status_code == 200
    assert len(house.employees.seen) == 2


@pytest.mark.parametrize(("fails", "asked"), [(FORWARDED, COMPOSED), (COMPOSED, FORWARDED)])
async def test_the_breaker_is_the_same_on_both_ways(house: Any, viewer: Any, fails: str, asked: str) -> None:
    house.employees.on("GET /v1/employees/7", status=500, json={})
    for _ in range(20):
        assert (await viewer.get(fails)).status_code in (500, 502)
    seen = len(house.employees.seen)
    for path in (fails, asked):
        answer = await viewer.get(path)
        assert answer.status_code == 503
        assert answer.json()["type"] == "urn:roster:problem:unavailable"
        assert 1 <= int(answer.headers["Retry-After"]) <= 6
    assert len(house.employees.seen) == seen
    figures = (await viewer.get("/metrics")).text
    assert 'upstream_breaker_state{kind="read",service="employees"} 2.0' in figures
    assert 'upstream_breaker_state{kind="write",service="employees"} 0.0' in figures
    assert 'upstream_refused_total{reason="breaker",service="employees"} 2.0' in figures


async def test_an_open_breaker_takes_optional_parts_only(house: Any, viewer: Any) -> None:
    house.teams.on("GET /v1/memberships", status=500, json={})
    house.employees.on("GET /v1/employees/7", json=EMPLOYEE)
    for _ in range(21):
        answer = await viewer.get("/v1/employees/7?expand=teams")
    assert answer.status_code == 200
    assert answer.headers["X-Gateway-Complete"] == "false"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json()["teams"] is None
    assert [(part["part"], part["status"]) for part in answer.json()["_parts"]] == [("teams", 503)]
    strict = await viewer.get("/v1/employees/7?expand=teams", headers={"Prefer": "handling=strict"})
    assert strict.status_code == 503
    assert "Retry-After" in strict.headers


async def test_log_ins_leave_room_for_others(open_house: Any, settings: Settings) -> None:
    async with open_house(replace(settings, upstream_requests=10)) as house:
        browser = house.browser()
        wrong = {"username": "editor", "password": "wrong battery staple horse"}
        answers = await asyncio.gather(*(browser("POST", "/v1/session", json=wrong) for _ in range(30)))
        statuses = [answer.status_code for answer in answers]
        assert set(statuses) == {401, 503}
        assert {answer.json()["type"] for answer in answers if answer.status_code == 503} == {"urn:roster:problem:overloaded"}
        assert (await browser.log_in("editor")).cookie


async def test_log_ins_are_a_tenth_of_what_may_be_under_way(settings: Settings) -> None:
    """Or one for each core, where there are more of them: of the reads and writes to two services, twelve of a hundred and twenty-eight."""
    passwords, places = create_app(settings).extensions[EXTENSION].passwords, max(12, cpu_count() or 1)
    answers = await asyncio.gather(*(passwords.hash(PHRASE) for _ in range(2 * places)), return_exceptions=True)
    passwords.close()
    assert Counter(map(type, answers)) == {str: places, Overloaded: places}

"""Accounts of people who leave: an employees service with a feed on one side, the whole gateway on the other."""

import asyncio
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from sqlalchemy import select

from gateway.clients import StaffState
from gateway.follower import LAST, news_of
from gateway.models import accounts
from gateway.store.links import News
from shared.db import Query
from shared.feedclient import Event
from shared.identity import Trust, Verifier
from shared.testing.redis import RedisServer

BORN = "2020-01-01T00:00:00.000000Z"
PASSWORD = "correct battery staple horse"
WHO, PATH = 7, "/v1/accounts/1"


class Staff:
    """Employees with a feed; their records are as it left them."""

    def __init__(self, fake: Any) -> None:
        self._fake = fake
        self._epoch = "e"
        self._events: list[dict[str, Any]] = []
        self.authorization = ""
        self.fails = False
        fake.on("GET /v1/changes", self._changes)

    def tell(self, employee_id: int, status: str | None = "active", born: str = BORN) -> None:
        """Someone's record changes; None deletes it."""
        version = 1 + sum(event["subject"] == f"employee/{employee_id}" for event in self._events)
        record = {"id": employee_id, "username": f"u{employee_id}", "status": status, "version": version, "created_at": born}
        kind = "deleted" if status is None else "updated"
        event = {"type": f"roster.employee.{kind}", "subject": f"employee/{employee_id}", "time": BORN}
        self._events.append({**event, "data": None if status is None else record})
        self._fake.on(f"GET /v1/employees/{employee_id}", json=record, status=404 if status is None else 200)

    def restore(self, kept: int) -> None:
        """Go back to when only so many things had happened."""
        self._epoch += "x"
        del self._events[kept:]

    def _changes(self, seen: Any) -> Any:
        self.authorization = seen.headers["authorization"]
        query = dict(part.split("=") for part in seen.query.split("&"))
        epoch, _, after = query.get("after", f"{self._epoch}.0").partition(".")
        status = 503 if self.fails else 200 if epoch == self._epoch else 410
        events = [{"id": f"{epoch}.{place}"} | event for place, event in enumerate(self._events, 1)][int(after) :]
        headers = {"content-type": "application/cloudevents-batch+json"}
        return SimpleNamespace(json=events if status == 200 else {}, status=status, headers=headers, body=None, hang=False, cut=False)


@pytest_asyncio.fixture
async def staff(house: Any) -> Staff:
    """People whom the gateway follows, one of whom the viewer's account belongs to."""
    return Staff(house.employees)


async def becomes(browser: Any, disabled: bool) -> None:
    async with asyncio.timeout(20):
        while (await browser.get(PATH)).json()["disabled"] is not disabled:  # noqa: ASYNC110 - what is waited for happens in a database
            await asyncio.sleep(0.01)


async def caught_up(house: Any, events: int) -> None:
    follower = house.app.extensions["follower"]
    async with asyncio.timeout(20):
        while follower.events < events or not follower.succeeded:  # noqa: ASYNC110 - a count
            await asyncio.sleep(0.01)


async def link(admin: Any, staff: Staff) -> None:
    staff.tell(WHO)
    answer = await admin("PATCH", PATH, json={"employee_id": WHO, "disabled": False})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("status", ["inactive", None])
async def test_who_leaves_is_logged_out_and_can_not_log_in(house: Any, admin: Any, viewer: Any, staff: Staff, status: str | None) -> None:
    token = (await viewer("POST", "/v1/tokens", json={"name": "x", "scope": "read"})).json()["token"]
    await link(admin, staff)
    assert (await viewer.get("/v1/session")).status_code == 200
    staff.tell(8, None)
    staff.tell(WHO, status)
    await becomes(admin, True)
    house.clock.now += 1.0
    assert (await viewer.get("/v1/session")).status_code == 401
    bearer = {"Authorization": f"Bearer {token}"}
    assert (await house.browser().get("/v1/session", headers=bearer)).status_code == 401
    assert (await house.browser()("POST", "/v1/session", auth=("viewer", PASSWORD))).status_code == 401
    refused = await admin("PATCH", PATH, json={"disabled": False})
    assert [error["field"] for error in refused.json()["errors"]] == ["employee_id"]


async def test_who_comes_back_is_let_in_by_an_admin_and_leaves_again(house: Any, admin: Any, staff: Staff) -> None:
    await link(admin, staff)
    staff.tell(WHO, "inactive")
    await becomes(admin, True)
    staff.tell(WHO)
    assert (await admin("PATCH", PATH, json={"disabled": False})).status_code == 200
    await house.browser().log_in("viewer")
    staff.tell(WHO, "inactive")
    await becomes(admin, True)


async def test_an_account_that_is_nobodys_stays(house: Any, admin: Any, staff: Staff) -> None:
    await link(admin, staff)
    await admin("PATCH", PATH, json={"employee_id": None})
    staff.tell(WHO, None)
    await caught_up(house, 2)
    assert (await admin.get(PATH)).json()["disabled"] is False


async def test_a_restored_directory_has_the_last_word(house: Any, admin: Any, staff: Staff) -> None:
    staff.tell(9)
    await link(admin, staff)
    await caught_up(house, 2)
    staff.restore(1)
    await becomes(admin, True)


async def test_whoever_leaves_while_they_are_linked_is_out(house: Any, admin: Any, staff: Staff) -> None:
    for _ in range(10):
        staff.tell(WHO)
        linking = asyncio.create_task(admin("PATCH", PATH, json={"employee_id": WHO, "disabled": False}))
        await asyncio.sleep(0)
        staff.tell(WHO, "inactive")
        answer = await linking
        assert answer.status_code in (200, 422)
        if answer.status_code == 200:
            await becomes(admin, True)


async def test_it_asks_in_its_own_name_and_for_the_feed_alone(house: Any, admin: Any, staff: Staff, settings: Any) -> None:
    staff.tell(WHO)
    await caught_up(house, 1)
    public = msgspec.json.decode(settings.signing_key)
    keys = msgspec.json.encode({"keys": [{name: public[name] for name in ("kty", "crv", "x", "kid")}]}).decode()
    caller = Verifier("employees", [Trust("gateway", keys)]).verify(staff.authorization.removeprefix("Bearer "))
    assert (caller.subject, caller.role) == ("service:gateway", "feed")


async def test_the_gateway_works_and_is_ready_while_employees_are_away(house: Any, admin: Any, staff: Staff) -> None:
    staff.fails = True
    follower = house.app.extensions["follower"]
    async with asyncio.timeout(20):
        while not follower.all_failures:  # noqa: ASYNC110 - a count
            await asyncio.sleep(0.01)
    ready = await admin.get("/readyz")
    assert (ready.status_code, ready.json()["details"]["employees"]["status"]) == (200, "failing")
    assert "employees_feed_accounts_disabled_total 0.0" in (await admin.get("/metrics")).text
    staff.fails = False
    await link(admin, staff)
    staff.tell(WHO, "inactive")
    await becomes(admin, True)
    assert "employees_feed_accounts_disabled_total 1.0" in (await admin.get("/metrics")).text


async def test_nobody_is_disabled_before_other_processes_can_be_told(settings: Any, open_house: Any, redis: RedisServer) -> None:
    async with open_house(msgspec.structs.replace(settings, redis_url=redis.url)) as house:
        staff, admin, viewer = Staff(house.employees), await house.browser().log_in("admin"), await house.browser().log_in("viewer")
        await link(admin, staff)
        assert (await viewer.get("/v1/session")).status_code == 200
        await caught_up(house, 1)
        redis.kill()
        staff.tell(WHO, "inactive")
        async with asyncio.timeout(20):
            while not house.app.extensions["follower"].failing:  # noqa: ASYNC110 - a count
                await asyncio.sleep(0.01)
        disabled = Query(select(accounts.c.disabled).where(accounts.c.id == 1))
        assert await house.app.extensions["db"].one(disabled) == (False,)
        redis.start()
        house.clock.now += 1.0
        await becomes(admin, True)
        assert (await viewer.get("/v1/session")).status_code == 401


@pytest.mark.parametrize(
    ("change", "news"),
    [
        ({}, News(7, BORN, 3, active=True)),
        ({"data": StaffState(7, 4, "inactive", BORN)}, News(7, BORN, 4, active=False)),
        ({"data": StaffState(7, 4)}, News(7, None, 4, active=False)),
        ({"type": "roster.employee.deleted", "data": None}, News(7, None, LAST, active=False)),
        ({"subject": "line/7"}, None),
    ],
)
def test_what_an_event_says_of_someone(change: dict[str, Any], news: News | None) -> None:
    event = Event("e.9", "roster.employee.updated", "employee/7", BORN, StaffState(7, 3, "active", BORN))
    assert news_of(msgspec.structs.replace(event, **change)) == news

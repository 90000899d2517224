"""What webhooks get: all that they are to have, in order, signed, until they took it."""

import asyncio
import base64
import hashlib
import hmac
import time
from typing import Any

import msgspec
import pytest
import structlog

from gateway.clients.feeds import read_batch
from gateway.clients.receivers import Receivers
from gateway.feed import Batch, Event, Vector
from gateway.leases import Lease
from gateway.webhooks import Deliveries, store
from gateway.webhooks.dispatch import FRESH, STALE, Courier
from shared.changes import Author
from shared.db import Database
from shared.migrate import upgrade
from shared.testing.feeds import FakeFeed
from shared.testing.serving import serving

Feeds = dict[str, FakeFeed]


async def log(admin: Any) -> list[tuple[str, int, int | None]]:
    """What was delivered, the oldest first: message, attempt, status."""
    items = (await admin.get("/v1/webhooks/1/deliveries?limit=200")).json()["items"]
    return [(one["message_id"], one["attempt"], one["status"]) for one in items[::-1]]


async def logged(admin: Any, count: int) -> list[tuple[str, int, int | None]]:
    """The same, once it is so much."""
    async with asyncio.timeout(30):
        while len(found := await log(admin)) < count:  # noqa: ASYNC110 - what is waited for happens in a database
            await asyncio.sleep(0.02)
    return found


async def until(admin: Any, **fields: Any) -> dict[str, Any]:
    """Wait until the webhook has these."""
    async with asyncio.timeout(30):
        while True:
            found: dict[str, Any] = (await admin.get("/v1/webhooks/1")).json()
            if fields.items() <= found.items():
                return found
            await asyncio.sleep(0.02)


async def test_changes_from_then_on_come_in_order_and_signed(feeds: Feeds, create: Any, receiver: Any) -> None:
    feeds["employees"].add("employee", 1, "created")
    made = await create(receiver.url)
    feeds["employees"].add("employee", 2, "created", time="10:00")
    feeds["teams"].add("team", 1, "created", time="10:01")
    feeds["employees"].add("employee", 2, "deleted", time="10:02")
    await receiver.becomes(["e1.2", "t1.1", "e1.3"])
    headers, body = receiver.got[0]
    assert msgspec.json.decode(body) == {**feeds["employees"].events[1], "cursor": "e1.2~-"}
    assert (headers["content-type"], headers["webhook-id"]) == ("application/cloudevents+json", "msg_e1_2")
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 300
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(made["secret"].removeprefix("whsec_"))
    assert headers["webhook-signature"] == "v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()


async def test_a_replay_begins_at_the_beginning(feeds: Feeds, create: Any, receiver: Any) -> None:
    feeds["employees"].add("employee", 1, "created")
    await create(receiver.url, replay=True)
    await receiver.becomes(["e1.1"])


async def test_a_failure_is_repeated_and_holds_up_what_follows(feeds: Feeds, admin: Any, create: Any, receiver: Any) -> None:
    receiver.answers = [500, 302, 429]
    await create(receiver.url)
    for number in range(1, 4):
        feeds["employees"].add("employee", number)
    await receiver.becomes(["e1.1", "e1.1", "e1.1", "e1.1", "e1.2", "e1.3"])
    assert len({headers["webhook-id"] for headers, _ in receiver.got[:4]}) == 1
    assert (await log(admin))[:5] == [
        ("msg_e1_1", 1, 500),
        ("msg_e1_1", 2, 302),
        ("msg_e1_1", 3, 429),
        ("msg_e1_1", 4, 204),
        ("msg_e1_2", 1, 204),
    ]


async def test_it_is_disabled_after_so_many_and_goes_on_where_it_was(feeds: Feeds, admin: Any, create: Any, receiver: Any) -> None:
    receiver.answers = [500] * 5
    await create(receiver.url)
    for number in range(1, 4):
        feeds["employees"].add("employee", number)
    disabled = await until(admin, enabled=False)
    assert disabled["reason"] == "4 attempts in a row failed; the last: the receiver answered 500"
    seen = len(receiver.got)
    await asyncio.sleep(0.3)
    assert (len(receiver.got), seen) == (4, 4)
    receiver.answers = []
    enabled = (await admin("PATCH", "/v1/webhooks/1", json={"enabled": True})).json()
    assert (enabled["enabled"], enabled["reason"]) == (True, None)
    await receiver.becomes(["e1.1"] * 5 + ["e1.2", "e1.3"])


async def test_a_receiver_that_is_gone_is_asked_no_more(feeds: Feeds, admin: Any, create: Any, receiver: Any) -> None:
    receiver.answers = [410]
    await create(receiver.url)
    feeds["employees"].add("employee", 1)
    assert "410" in (await until(admin, enabled=False))["reason"]
    assert len(receiver.got) == 1


async def test_only_what_is_wanted_comes_also_after_a_change_of_mind(feeds: Feeds, admin: Any, create: Any, receiver: Any) -> None:
    await create(receiver.url, entities=["team"])
    feeds["teams"].add("membership", 1)
    feeds["teams"].add("team", 1)
    feeds["employees"].add("employee", 1)
    await receiver.becomes(["t1.2"])
    await admin("PATCH", "/v1/webhooks/1", json={"entities": ["membership", "team"]})
    feeds["teams"].add("membership", 1)
    feeds["teams"].add("team", 1)
    await receiver.becomes(["t1.2", "t1.3", "t1.4"])


async def test_a_disabled_one_gets_nothing_and_a_deleted_one_no_more(feeds: Feeds, admin: Any, create: Any, receiver: Any) -> None:
    await create(receiver.url)
    await admin("PATCH", "/v1/webhooks/1", json={"enabled": False})
    feeds["employees"].add("employee", 1)
    await asyncio.sleep(1.5)
    assert receiver.ids == []
    await admin("PATCH", "/v1/webhooks/1", json={"enabled": True})
    await receiver.becomes(["e1.1"])
    await admin("DELETE", "/v1/webhooks/1")
    feeds["employees"].add("employee", 2)
    await asyncio.sleep(1.5)
    assert receiver.ids == ["e1.1"]


async def test_a_slow_one_holds_up_no_other(feeds: Feeds, admin: Any, create: Any, receiver: Any) -> None:
    async def silent(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    async with serving(silent, lifespan=False) as url:
        await create(url)
        await create(receiver.url)
        for number in range(1, 6):
            feeds["employees"].add("employee", number)
        await receiver.becomes([f"e1.{number}" for number in range(1, 6)])
        await admin("DELETE", "/v1/webhooks/1")
        await asyncio.sleep(1.2)  # until its courier is dismissed


async def test_a_rotated_secret_signs_beside_the_one_before(feeds: Feeds, admin: Any, create: Any, receiver: Any) -> None:
    old = (await create(receiver.url))["secret"]
    new = (await admin("POST", "/v1/webhooks/1/secret")).json()["secret"]
    assert old != new
    feeds["employees"].add("employee", 1)
    await receiver.becomes(["e1.1"])
    headers, body = receiver.got[0]
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = [
        "v1," + base64.b64encode(hmac.digest(base64.b64decode(key.removeprefix("whsec_")), content, hashlib.sha256)).decode()
        for key in (new, old)
    ]
    assert headers["webhook-signature"].split(" ") == expected


async def test_after_a_restore_the_feed_comes_from_its_beginning(feeds: Feeds, create: Any, receiver: Any) -> None:
    await create(receiver.url)
    feeds["employees"].add("employee", 1)
    feeds["employees"].add("employee", 2)
    await receiver.becomes(["e1.1", "e1.2"])
    feeds["employees"].restore("e2", 1)
    await receiver.becomes(["e1.1", "e1.2", "e2.1"])


async def test_what_cannot_be_read_is_told_and_the_rest_is_delivered(feeds: Feeds, admin: Any, create: Any, receiver: Any) -> None:
    await create(receiver.url)
    feeds["employees"].down = True
    feeds["teams"].add("team", 1, "created")
    await receiver.becomes(["t1.1"])
    async with asyncio.timeout(30):
        while not (told := (await admin.get("/readyz")).json()["details"]["webhooks"])["failing"]:  # noqa: ASYNC110 - a count
            await asyncio.sleep(0.02)
    assert "employees: " in told["reason"]
    feeds["employees"].down = False
    feeds["employees"].add("employee", 1, "created")
    await receiver.becomes(["t1.1", "e1.1"])


@pytest.mark.parametrize("answer", [410, 503])
async def test_what_an_old_address_answers_is_not_held_against_a_new_one(
    feeds: Feeds, admin: Any, create: Any, receiver: Any, another: Any, answer: int
) -> None:
    receiver.answers, receiver.retry_after = [answer], 3_600
    receiver.takes.clear()
    await create(receiver.url)
    feeds["employees"].add("employee", 1)
    await receiver.becomes(["e1.1"])
    await admin("PATCH", "/v1/webhooks/1", json={"url": another.url})
    receiver.takes.set()
    await another.becomes(["e1.1"])
    assert (await admin.get("/v1/webhooks/1")).json()["enabled"]
    assert await logged(admin, 2) == [("msg_e1_1", 1, answer), ("msg_e1_1", 1, 204)]


async def test_enabling_one_that_waits_tries_at_once(feeds: Feeds, admin: Any, create: Any, receiver: Any) -> None:
    receiver.answers, receiver.retry_after = [503], 3_600
    await create(receiver.url)
    feeds["employees"].add("employee", 1)
    await logged(admin, 1)
    await admin("PATCH", "/v1/webhooks/1", json={"enabled": True})
    await receiver.becomes(["e1.1", "e1.1"])


async def test_what_was_erased_while_a_delivery_took_its_time_is_delivered_no_more(feeds: Feeds, create: Any, receiver: Any) -> None:
    events = [feeds["employees"].add("employee", number, "created", username="zqmary") for number in range(1, 6)]
    receiver.takes.clear()
    await create(receiver.url, replay=True)
    await receiver.becomes(["e1.1"])
    events[4]["data"]["username"] = "erased-5"
    feeds["employees"].add("employee", 5, username="erased-5")["erased"] = True
    await asyncio.sleep(2 * FRESH)
    receiver.takes.set()
    await receiver.becomes([f"e1.{number}" for number in range(1, 7)])
    assert [b"zqmary" in body for _, body in receiver.got] == [True] * 4 + [False] * 2


class Read:
    """A feed whose first event anybody may read."""

    def __init__(self) -> None:
        self._fake = FakeFeed("/employees", "e1")
        self._fake.add("employee", 1, "created", username="zqmary")
        self.times = 0

    async def read(self, at: Vector, *_: Any, **__: Any) -> Batch:
        self.times += 1
        (change,) = read_batch(self._fake.answer({})[1], None)
        after = at.at("employees", change.head.id)
        return Batch([Event(change, after)], after, ())


async def test_what_was_read_before_a_process_stood_still_is_read_again(database_url: str, receiver: Any) -> None:
    upgrade(database_url, "gateway")
    db = Database(database_url, readers=1)
    await db.open()
    values = {"url": receiver.url, "description": None, "entities": "employee"}
    await db.write(lambda conn: store.add(conn, values, "whsec_" + "A" * 44, str(Vector()), Author("account:1", "r")))
    feed, deliveries = Read(), Deliveries(db, Receivers(private=True), attempts=1, first_pause=1)
    log = structlog.get_logger()
    courier = Courier(1, db=db, feed=feed, deliveries=deliveries, lease=Lease(db, "webhooks"), log=log)  # type: ignore[arg-type]  # enough
    await courier.step()
    time.sleep(STALE)  # noqa: ASYNC251 - as SIGSTOP does: nothing goes on
    await courier.step()
    assert (feed.times, receiver.got) == (2, [])
    await courier.step()
    assert (feed.times, receiver.ids) == (2, ["e1.1"])
    await db.close()

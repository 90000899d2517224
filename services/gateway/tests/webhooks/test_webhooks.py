"""Webhooks, as admins manage them."""

from typing import Any

import pytest
from sqlalchemy import update

from gateway.audit import AUDIT
from gateway.models import log, webhooks
from gateway.webhooks import store
from gateway.webhooks.store import KEPT
from shared.db import Query
from shared.db.database import utc_now
from shared.testing.feeds import FakeFeed

Feeds = dict[str, FakeFeed]


async def test_a_secret_is_shown_once(feeds: Feeds, admin: Any, create: Any, receiver: Any) -> None:
    made = await create(receiver.url, entities=["team", "employee", "team"], description="Lists")
    assert made["secret"].startswith("whsec_")
    assert (made["entities"], made["enabled"], made["reason"], made["version"]) == (["employee", "team"], True, None, 1)
    shown = {name: value for name, value in made.items() if name != "secret"}
    assert (await admin.get("/v1/webhooks/1")).json() == shown
    assert (await admin.get("/v1/webhooks")).json()["items"] == [shown]
    assert made["secret"] not in (await admin.get("/v1/webhooks?count=true")).text


async def test_only_admins_see_them(feeds: Feeds, editor: Any, viewer: Any) -> None:
    for who in (editor, viewer):
        for method, path in (
            ("GET", ""),
            ("POST", ""),
            ("GET", "/1"),
            ("PATCH", "/1"),
            ("DELETE", "/1"),
            ("POST", "/1/test"),
            ("POST", "/1/secret"),
        ):
            assert (await who(method, f"/v1/webhooks{path}", json={} if method in ("POST", "PATCH") else None)).status_code == 403


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "url"),
        ({"url": "ftp://a.example/"}, "url"),
        ({"url": "https://"}, "url"),
        ({"url": "https://a.example/\n"}, "url"),
        ({"url": "https:a.example/"}, "url"),
        ({"url": "https://user@a.example/"}, "url"),
        ({"url": "https://user:word@a.example/"}, "url"),
        ({"url": "https://a.example/#x"}, "url"),
        ({"url": "https://a.example:99999/"}, "url"),
        ({"url": "https://a.example:0/"}, "url"),
        ({"url": "https://[::1/"}, "url"),
        ({"url": "https://a.example/ b"}, "url"),
        ({"url": "https://a..b/hook"}, "url"),
        ({"url": "https://.example.com/"}, "url"),
        ({"url": "https://" + "a" * 64 + ".example/"}, "url"),
        ({"url": "https://xn--/"}, "url"),
        ({"url": "https://xn--a.example/"}, "url"),
        ({"url": "https://a:b:c/"}, "url"),
        ({"url": "https://a.example/" + "x" * 2000}, "url"),
        ({"url": "https://a.example/", "entities": []}, "entities"),
        ({"url": "https://a.example/", "entities": ["person"]}, "entities.0"),
        ({"url": "https://a.example/", "description": ""}, "description"),
        ({"url": "https://a.example/", "secret": "mine"}, "secret"),
        ({"url": "https://a.example/", "enabled": False}, "enabled"),
    ],
)
async def test_a_wrong_one_is_refused_by_its_field(feeds: Feeds, admin: Any, body: dict[str, Any], field: str) -> None:
    answer = await admin("POST", "/v1/webhooks", json=body)
    assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (422, [field])
    assert (await admin.get("/v1/webhooks")).json()["items"] == []


async def test_a_change_and_its_condition(feeds: Feeds, admin: Any, create: Any, receiver: Any) -> None:
    await create(receiver.url)
    assert (await admin.get("/v1/webhooks/1")).headers["etag"] == '"1"'
    changed = await admin("PATCH", "/v1/webhooks/1", json={"description": "x", "entities": ["team"]}, headers={"If-Match": '"1"'})
    assert (changed.json()["description"], changed.json()["entities"], changed.headers["etag"]) == ("x", ["team"], '"2"')
    stale = await admin("PATCH", "/v1/webhooks/1", json={"description": None}, headers={"If-Match": '"1"'})
    assert stale.status_code == 412
    assert (await admin("DELETE", "/v1/webhooks/1", headers={"If-Match": '"2"'})).status_code == 204
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/test"), ("POST", "/secret"), ("GET", "/deliveries")):
        assert (await admin(method, f"/v1/webhooks/1{path}", json={} if method == "PATCH" else None)).status_code == 404


async def test_all_that_is_done_to_one_is_in_the_log(feeds: Feeds, admin: Any, create: Any, receiver: Any, house: Any) -> None:
    db = house.app.extensions["db"]
    before = await db.last_change()
    await create(receiver.url)
    await admin("PATCH", "/v1/webhooks/1", json={"description": "x"})
    await admin("POST", "/v1/webhooks/1/secret")
    rows = await db.all(log.after, seq=before, limit=10)
    told = [(row[2], row[3], row[4], row[5], row[6]) for row in rows]
    who = rows[0][6]
    assert who.startswith("account:")
    assert told == [
        ("webhook", 1, 1, "created", who),
        ("webhook", 1, 2, "updated", who),
        ("webhook_secret", 1, 2, "updated", who),
    ]
    assert (await AUDIT.check(db)).intact
    await db.write(lambda conn: conn.run(Query(update(webhooks).values(url="https://elsewhere.example/"))))
    found = await AUDIT.check(db)
    assert found.fault is not None
    assert "webhook/1" in found.fault.reason


async def test_a_repeated_post_makes_one(feeds: Feeds, admin: Any, receiver: Any) -> None:
    answers = [await admin("POST", "/v1/webhooks", json={"url": receiver.url}, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert answers[0].json()["secret"].startswith("whsec_")
    assert answers[1].json() == {**answers[0].json(), "secret": None}
    assert len((await admin.get("/v1/webhooks")).json()["items"]) == 1


async def test_none_is_made_while_its_beginning_is_unknown(feeds: Feeds, admin: Any, receiver: Any) -> None:
    feeds["teams"].down = True
    answer = await admin("POST", "/v1/webhooks", json={"url": receiver.url})
    assert (answer.status_code, answer.json()["services"]) == (503, ["teams"])
    assert (await admin.get("/v1/webhooks")).json()["items"] == []


async def test_a_test_delivery_tells_what_became_of_it(feeds: Feeds, admin: Any, create: Any, receiver: Any) -> None:
    await create(receiver.url)
    receiver.answers = [500]
    tried = [(await admin("POST", "/v1/webhooks/1/test")).json() for _ in range(2)]
    assert [(one["delivered"], one["status"], one["type"]) for one in tried] == [
        (False, 500, "roster.webhook.test"),
        (True, 204, "roster.webhook.test"),
    ]
    assert (await admin.get("/v1/webhooks/1/deliveries")).json()["items"] == tried[::-1]
    assert (await admin.get("/v1/webhooks/1")).json()["enabled"]


async def test_the_log_is_bounded_and_paged(feeds: Feeds, admin: Any, create: Any, receiver: Any, house: Any) -> None:
    await create(receiver.url)
    await create(receiver.url)
    attempt = store.Attempt("msg_1", "t", "employee/1", 1, utc_now(), True, 204, None, 3)
    for _ in range(KEPT + 20):
        await house.app.extensions["db"].write(lambda conn: store.note(conn, 1, attempt))
    page = (await admin.get("/v1/webhooks/1/deliveries?limit=200&count=true")).json()
    assert page["total"] == KEPT
    following = (await admin.get(f"/v1/webhooks/1/deliveries?limit=200&cursor={page['next']}")).json()
    assert [one["id"] for one in (*page["items"], *following["items"])] == list(range(KEPT + 20, KEPT + 20 - 400, -1))
    assert (await admin.get("/v1/webhooks/2/deliveries?count=true")).json()["total"] == 0

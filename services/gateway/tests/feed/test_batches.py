"""The merged feed as batches, in front of feeds that are written by hand."""

import asyncio
import random
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import settings as trying
from hypothesis import strategies as st

from gateway.feed import EVERYTHING, OWNERS, Vector
from shared.feed import MEDIA_TYPE
from shared.testing.feeds import FakeFeed

Feeds = dict[str, FakeFeed]


def ids(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [event["id"] for event in answer.json()]


def next_of(answer: httpx.Response) -> str:
    """Where `Link` says to read on."""
    target = answer.headers["link"].partition(">")[0][1:]
    return parse_qs(urlsplit(target).query)["after"][0]


async def read(viewer: Any, after: str | None = None, **query: Any) -> httpx.Response:
    given = {"after": after} if after else {}
    answer: httpx.Response = await viewer.get("/v1/changes", params={**given, **query})
    return answer


def fill(feeds: Feeds) -> None:
    feeds["employees"].add("employee", 1, "created", time="10:00")
    feeds["teams"].add("team", 1, "created", time="10:01")
    feeds["employees"].add("employee", 2, "created", time="10:02")
    feeds["teams"].add("membership", 1, "created", time="10:03")
    feeds["employees"].add("employee", 1, "deleted", time="10:04")


async def test_both_feeds_come_as_one_by_their_times(feeds: Feeds, viewer: Any) -> None:
    fill(feeds)
    answer = await read(viewer)
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert ids(answer) == ["e1.1", "t1.1", "e1.2", "t1.2", "e1.3"]
    assert [event["cursor"] for event in answer.json()] == ["e1.1~-", "e1.1~t1.1", "e1.2~t1.1", "e1.2~t1.2", "e1.3~t1.2"]
    assert answer.json()[-1] == {**feeds["employees"].events[-1], "cursor": "e1.3~t1.2"}
    assert (answer.headers["x-gateway-complete"], next_of(answer)) == ("true", "e1.3~t1.2")
    assert ids(await read(viewer, next_of(answer))) == []


async def test_every_cursor_goes_on_after_its_event(feeds: Feeds, viewer: Any) -> None:
    fill(feeds)
    everything = (await read(viewer)).json()
    for place, event in enumerate(everything):
        assert (await read(viewer, event["cursor"])).json() == everything[place + 1 :]
        assert (await read(viewer, event["cursor"], limit=1)).json() == everything[place + 1 : place + 2]


async def test_a_filter_leaves_out_and_still_goes_on(feeds: Feeds, viewer: Any) -> None:
    for number in range(1, 1201):
        feeds["teams"].add("team", number, "created", time="09:00")
    fill(feeds)
    assert ids(await read(viewer, entity="membership")) == ["t1.1202"]
    assert ids(await read(viewer, entity="employee,membership")) == ["e1.1", "e1.2", "t1.1202", "e1.3"]
    quiet = await read(viewer, "e1.3~t1.1202", entity="team")
    feeds["teams"].add("membership", 2, "created")
    passed = await read(viewer, next_of(quiet), entity="team")
    assert (ids(passed), next_of(passed)) == ([], "e1.3~t1.1203")


async def test_what_a_filter_leaves_out_is_passed_in_large_steps_however_little_is_wanted(feeds: Feeds, viewer: Any) -> None:
    for number in range(1, 1201):
        feeds["teams"].add("team", number, "created", time="09:00")
    feeds["teams"].add("membership", 1, "created")
    feeds["teams"].add("membership", 2, "created")
    answer = await read(viewer, entity="membership", limit=1)
    assert (ids(answer), next_of(answer)) == (["t1.1201"], "-~t1.1201")
    assert len(feeds["teams"].asked) <= 4


async def test_a_service_that_is_not_asked_may_be_down(feeds: Feeds, viewer: Any) -> None:
    fill(feeds)
    feeds["employees"].down = True
    answer = await read(viewer, entity="team,membership")
    assert (ids(answer), answer.headers["x-gateway-complete"]) == (["t1.1", "t1.2"], "true")


async def test_what_is_missing_is_told_and_nothing_new_is_never_claimed(feeds: Feeds, viewer: Any) -> None:
    fill(feeds)
    feeds["teams"].down = True
    some = await read(viewer)
    assert (ids(some), some.headers["x-gateway-complete"]) == (["e1.1", "e1.2", "e1.3"], "false")
    nothing = await read(viewer, next_of(some))
    assert (nothing.status_code, nothing.json()["services"]) == (503, ["teams"])
    assert "retry-after" in nothing.headers
    strict = await viewer.get("/v1/changes", headers={"Prefer": "handling=strict"})
    assert strict.status_code == 503
    feeds["teams"].down = False
    assert ids(await read(viewer, next_of(some))) == ["t1.1", "t1.2"]


async def test_a_restored_service_is_told_with_the_way_on(feeds: Feeds, viewer: Any) -> None:
    fill(feeds)
    seen = next_of(await read(viewer))
    feeds["employees"].restore("e2", 2)
    gone = await read(viewer, seen)
    problem = gone.json()
    assert (gone.status_code, problem["services"], problem["resume"]) == (410, ["employees"], "-~t1.2")
    assert problem["type"] == "urn:roster:problem:feed-restored"
    assert ids(await read(viewer, problem["resume"])) == ["e2.1", "e2.2"]


@pytest.mark.parametrize("after", ["x", "e1.1", "e1.1~", "~", "e1.1~t1.1~x.1", "nowhere", "-~-x"])
async def test_what_is_no_cursor_is_named(feeds: Feeds, viewer: Any, after: str) -> None:
    answer = await read(viewer, after)
    assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (400, ["after"])


async def test_now_is_the_end_of_both(feeds: Feeds, viewer: Any) -> None:
    assert next_of(await read(viewer, "now")) == "-~-"
    fill(feeds)
    answer = await read(viewer, "now")
    assert (ids(answer), next_of(answer)) == ([], "e1.3~t1.2")
    feeds["teams"].down = True
    assert (await read(viewer, "now")).status_code == 503


async def test_a_wait_ends_with_the_first_change(feeds: Feeds, viewer: Any) -> None:
    fill(feeds)
    end = next_of(await read(viewer))
    waiting = asyncio.create_task(read(viewer, end, wait=30, entity="team"))
    await asyncio.sleep(0.2)
    feeds["employees"].add("employee", 3, "created")
    await asyncio.sleep(0.2)
    assert not waiting.done()
    feeds["teams"].add("team", 2, "created")
    assert ids(await waiting) == ["t1.3"]


@pytest.mark.parametrize("shown", ["session", "token"])
@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "at another process"])
@pytest.mark.parametrize("ending", ["ended", "disabled"])
async def test_who_is_shut_out_while_waiting_gets_nothing(
    feeds: Feeds, viewer: Any, house: Any, settings: Any, open_house: Any, shown: str, elsewhere: bool, ending: str
) -> None:
    fill(feeds)
    end = next_of(await read(viewer))
    made = (await viewer("POST", "/v1/tokens", json={"name": "reader", "scope": "read"})).json()
    headers = {"Authorization": f"Bearer {made['token']}"} if shown == "token" else {}
    async with open_house(settings, house.clock) as other:
        admin = await (other if elsewhere else house).browser().log_in("admin")
        waiting = asyncio.create_task(viewer.get("/v1/changes", params={"after": end, "wait": 30}, headers=headers))
        await asyncio.sleep(0.2)
        if ending == "disabled":
            ended = await admin("PATCH", "/v1/accounts/1", json={"disabled": True})
        else:
            ended = await admin("DELETE", "/v1/sessions?account_id=1" if shown == "session" else f"/v1/tokens/{made['id']}")
        assert ended.is_success
        house.clock.now += 1.0 if elsewhere else 0.0
        feeds["employees"].add("employee", 3, "created")
        assert (await waiting).status_code == 401


async def test_a_broken_feed_is_no_news(feeds: Feeds, viewer: Any, house: Any) -> None:
    fill(feeds)
    disordered = b'[{"id":"e1.2","type":"","subject":"","time":""},{"id":"e1.1","type":"","subject":"","time":""}]'
    for body in (b"[{}]", b"{", disordered, b"[" * 9999):
        house.employees.on("GET /v1/changes", body=body, headers={"content-type": MEDIA_TYPE})
        answer = await read(viewer, "-~t1.2")
        assert (answer.status_code, answer.json()["services"]) == (503, ["employees"])


async def test_a_reader_in_front_of_a_gap_holds_up_nobody_beyond_it(merged: Any) -> None:
    fakes = {"employees": FakeFeed("/employees", "e1"), "teams": FakeFeed("/teams", "t1")}
    for number in range(1, 8):
        fakes["employees"].add("employee", number, "created")
    fakes["employees"].lose(4)
    feed, before, beyond = merged(fakes), Vector.parse("e1.3~-", "after"), Vector.parse("e1.7~-", "after")
    for number in (8, 9):
        assert (await feed.read(before, EVERYTHING, wait=0.1)).missing == ("employees",)
        fakes["employees"].add("employee", number, "created")
        batch = await feed.read(beyond, EVERYTHING, wait=5, ask=False)
        assert ([event.change.head.id for event in batch.events], batch.missing) == ([f"e1.{number}"], ())
        beyond = batch.after
    await feed.stop()


async def test_nobody_reads_without_a_session(feeds: Feeds, house: Any) -> None:
    assert (await house.browser().get("/v1/changes")).status_code == 401


async def test_the_services_are_asked_in_the_gateways_own_name(feeds: Feeds, viewer: Any, house: Any) -> None:
    await read(viewer)
    claims = house.employees.seen[-1].headers["authorization"]
    assert claims.startswith("Bearer ")
    await read(viewer)
    assert house.employees.seen[-1].headers["authorization"] == claims


@trying(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_any_way_of_reading_gives_the_same(merged: Any, seed: int) -> None:
    """Whatever the limits, the pauses and the places where a reader begins again: each service's events, each once, in order."""
    asyncio.run(_reads_alike(merged, random.Random(seed)))


async def _reads_alike(merged_of: Any, chance: random.Random) -> None:
    fakes = {"employees": FakeFeed("/employees", "e1"), "teams": FakeFeed("/teams", "t1")}
    merged = merged_of(fakes)
    at, seen = Vector(), []
    for _ in range(chance.randrange(1, 12)):
        for _ in range(chance.randrange(6)):
            entity = chance.choice(["employee", "team", "membership"])
            fakes[OWNERS[entity]].add(entity, 1)
        fakes["teams"].down = chance.random() < 0.2
        batch = await merged.read(at, EVERYTHING, limit=chance.randrange(1, 8), wait=chance.choice([0, 0.01]), ask=chance.random() < 0.5)
        seen += [event.change.head.id for event in batch.events]
        at = Vector.parse(str(batch.after), "after")
    fakes["teams"].down = False
    while (batch := await merged.read(at, EVERYTHING, limit=3)).events:
        seen += [event.change.head.id for event in batch.events]
        at = batch.after
    await merged.stop()
    for letter, fake in (("e", fakes["employees"]), ("t", fakes["teams"])):
        assert [id_ for id_ in seen if id_[0] == letter] == [event["id"] for event in fake.events]

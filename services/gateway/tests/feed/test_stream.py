"""The merged feed as server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec
import pytest

from shared.testing.feeds import FakeFeed

Feeds = dict[str, FakeFeed]
STREAM = {"Accept": "text/event-stream"}


@dataclass
class Sent:
    """One event as a browser takes it (WHATWG HTML, section 9.2.6)."""

    kind: str = "message"
    id: str = ""
    data: list[str] = field(default_factory=list)

    @property
    def document(self) -> Any:
        return msgspec.json.decode("\n".join(self.data))


class Reader:
    """Reads a stream; `retry` is what it said of reconnecting."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.retry = 0
        self._lines = response.aiter_lines()

    async def next(self) -> Sent:
        """The next event. Raises StopAsyncIteration at the end of the stream."""
        sent = Sent()
        assert self.response.status_code == 200, await self.response.aread()
        async with asyncio.timeout(30):
            while line := await anext(self._lines) or not sent.data:
                if line is True:  # an empty line after a comment or after `retry`
                    continue
                name, _, value = line.partition(": ")
                if name == "data":
                    sent.data.append(value)
                elif name == "id":
                    sent.id = value
                elif name == "event":
                    sent.kind = value
                elif name == "retry":
                    self.retry = int(value)
        return sent


@asynccontextmanager
async def streaming(browser: Any, headers: dict[str, str] | None = None, *, token: str = "", **query: Any) -> AsyncIterator[Reader]:
    """A stream as long as the block lasts, by the browser's session or by a token."""
    shown = {"Authorization": f"Bearer {token}"} if token else {"Cookie": f"__Host-session={browser.cookie}"}
    async with (
        httpx.AsyncClient(trust_env=False, timeout=30) as http,
        http.stream("GET", f"{browser.url}/v1/changes", params=query, headers={**STREAM, **shown, **(headers or {})}) as response,
    ):
        yield Reader(response)


async def test_each_change_is_an_event_whose_id_is_the_place_after_it(feeds: Feeds, viewer: Any) -> None:
    feeds["employees"].add("employee", 1, "created", time="10:00")
    feeds["teams"].add("team", 1, "created", time="10:01", name="two\nlines")
    async with streaming(viewer) as reader:
        assert reader.response.headers["content-type"] == "text/event-stream"
        first, second = await reader.next(), await reader.next()
        assert (first.kind, first.id, first.document) == ("message", "e1.1~-", {**feeds["employees"].events[0], "cursor": "e1.1~-"})
        assert (second.id, second.document["data"]["name"]) == ("e1.1~t1.1", "two\nlines")
        feeds["employees"].add("employee", 1, "deleted")
        third = await reader.next()
        assert (third.id, third.document["data"]) == ("e1.2~t1.1", None)
        assert reader.retry > 0


async def test_it_goes_on_after_the_last_event_id_whatever_the_address_says(feeds: Feeds, viewer: Any) -> None:
    for number in range(1, 4):
        feeds["employees"].add("employee", number)
    async with streaming(viewer, {"Last-Event-ID": "e1.2~-"}, after="-~-", entity="employee") as reader:
        assert (await reader.next()).id == "e1.3~-"


@pytest.mark.parametrize(
    ("headers", "query", "status", "named"),
    [
        ({"Last-Event-ID": "7"}, {}, 400, "Last-Event-ID"),
        ({}, {"after": "7"}, 400, "after"),
        ({}, {"entity": "person"}, 400, "entity"),
        ({"Last-Event-ID": "e0.1~-"}, {}, 410, None),
    ],
)
async def test_what_is_wrong_is_a_problem_and_no_stream(
    feeds: Feeds, viewer: Any, headers: dict[str, str], query: dict[str, str], status: int, named: str | None
) -> None:
    async with streaming(viewer, headers, **query) as reader:
        document = msgspec.json.decode(await reader.response.aread())
    assert reader.response.status_code == status
    assert [error["field"].partition(".")[0] for error in document.get("errors", ())] == ([named] if named else [])


async def test_an_outage_and_its_end_are_told_between_the_others_events(feeds: Feeds, viewer: Any) -> None:
    feeds["teams"].down = True
    feeds["employees"].add("employee", 1)
    async with streaming(viewer) as reader:
        assert reader.response.headers["x-gateway-complete"] == "false"
        assert (await reader.next()).id == "e1.1~-"
        status = await reader.next()
        assert (status.kind, status.id, status.document) == ("status", "", {"complete": False, "missing": ["teams"]})
        feeds["employees"].add("employee", 2)
        assert (await reader.next()).id == "e1.2~-"
        feeds["teams"].add("team", 1)
        feeds["teams"].down = False
        told = [await reader.next(), await reader.next()]
        assert {one.kind for one in told} == {"status", "message"}
        assert [one.document["complete"] for one in told if one.kind == "status"] == [True]


async def test_a_restore_ends_the_stream_with_the_way_on(feeds: Feeds, viewer: Any) -> None:
    feeds["employees"].add("employee", 1)
    async with streaming(viewer) as reader:
        await reader.next()
        feeds["employees"].restore("e2", 1)
        gone = await reader.next()
        assert (gone.kind, gone.document["status"], gone.document["resume"]) == ("gone", 410, "-~-")
        with pytest.raises(StopAsyncIteration):
            await reader.next()


async def test_the_end_of_the_session_ends_the_stream(feeds: Feeds, viewer: Any) -> None:
    feeds["employees"].add("employee", 1)
    async with streaming(viewer) as reader:
        await reader.next()
        await viewer("DELETE", "/v1/session")
        end = await reader.next()
        assert (end.kind, end.document) == ("end", {"reason": "the session or token has ended"})
        with pytest.raises(StopAsyncIteration):
            await reader.next()


async def test_a_stream_of_a_token_goes_on_until_it_is_revoked(feeds: Feeds, viewer: Any, house: Any) -> None:
    feeds["employees"].add("employee", 1)
    made = (await viewer("POST", "/v1/tokens", json={"name": "reader", "scope": "read"})).json()
    async with streaming(viewer, token=made["token"]) as reader:
        await reader.next()
        house.clock.now += 10.0  # it is looked at again
        feeds["employees"].add("employee", 2)
        assert (await reader.next()).document["subject"] == "employee/2"
        await viewer("DELETE", f"/v1/tokens/{made['id']}")
        end = await reader.next()
        assert (end.kind, end.document) == ("end", {"reason": "the session or token has ended"})


@pytest.mark.parametrize("shown", ["session", "token"])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("DELETE", "/v1/{shown}s", None), ("PATCH", "/v1/accounts/1", {"disabled": True})],
    ids=["ended", "disabled"],
)
async def test_who_was_shut_out_at_another_process_gets_no_event_after_a_second(
    feeds: Feeds, viewer: Any, house: Any, settings: Any, open_house: Any, shown: str, method: str, path: str, body: Any
) -> None:
    made = (await viewer("POST", "/v1/tokens", json={"name": "reader", "scope": "read"})).json()
    path = path.format(shown=shown) + {"session": "?account_id=1", "token": f"/{made['id']}"}[shown] * (method == "DELETE")
    feeds["employees"].add("employee", 1)
    async with (
        open_house(settings, house.clock) as other,
        streaming(viewer, token=made["token"] if shown == "token" else "") as reader,
    ):
        await reader.next()
        admin = await other.browser().log_in("admin")
        assert (await admin(method, path, json=body)).is_success
        house.clock.now += 1.0
        feeds["employees"].add("employee", 2)
        assert (await reader.next()).document == {"reason": "the session or token has ended"}


async def test_a_stream_keeps_no_session_alive(feeds: Feeds, viewer: Any, house: Any) -> None:
    feeds["employees"].add("employee", 1)
    async with streaming(viewer) as reader:
        for number in (2, 3):
            assert (await reader.next()).kind == "message"
            house.clock.now += 1000.0
            feeds["employees"].add("employee", number)
        assert (await reader.next()).kind == "end"


async def test_a_service_that_stops_ends_the_stream(feeds: Feeds, viewer: Any, house: Any) -> None:
    feeds["employees"].add("employee", 1)
    async with streaming(viewer) as reader:
        await reader.next()
        house.app.stopping = True
        assert (await reader.next()).document == {"reason": "the service is stopping"}
        house.app.stopping = False


async def test_many_readers_cost_the_services_one(feeds: Feeds, viewer: Any) -> None:
    feeds["employees"].add("employee", 1)

    async def follow() -> list[str]:
        async with streaming(viewer) as reader:
            return [(await reader.next()).id for _ in range(20)]

    readers = [asyncio.create_task(follow()) for _ in range(20)]
    for number in range(2, 21):
        feeds["employees"].add("employee", number)
        await asyncio.sleep(0.02)
    for seen in await asyncio.gather(*readers):
        assert seen == [f"e1.{number}~-" for number in range(1, 21)]
    asked = [query for query in feeds["employees"].asked if query.get("wait") == "0"]
    assert len(asked) <= 100  # each asks for itself until it is at the end, not for each of 20 events


async def test_there_are_only_so_many(settings: Any, open_house: Any) -> None:
    async with open_house(msgspec.structs.replace(settings, feed_streams=1)) as house:
        for service in (house.employees, house.teams):
            service.on("GET /v1/changes", json=[], headers={"content-type": "application/cloudevents-batch+json"})
        viewer = await house.browser().log_in("viewer")
        async with streaming(viewer) as first:
            await anext(first._lines)
            async with streaming(viewer) as second:
                assert second.response.status_code == 503
            assert (await viewer.get("/v1/changes")).status_code == 200


async def test_of_many_who_come_at_once_so_many_are_served_and_their_places_come_back(settings: Any, open_house: Any) -> None:
    async with open_house(msgspec.structs.replace(settings, feed_streams=2)) as house:
        for service in (house.employees, house.teams):
            service.on("GET /v1/changes", json=[], headers={"content-type": "application/cloudevents-batch+json"})
        viewer = await house.browser().log_in("viewer")

        async def status(wanted: asyncio.Event) -> int:
            async with streaming(viewer) as reader:
                if reader.response.status_code == 200:
                    await wanted.wait()
                return reader.response.status_code

        for _ in range(3):
            enough = asyncio.Event()
            asking = [asyncio.create_task(status(enough)) for _ in range(20)]
            async with asyncio.timeout(30):
                while sum(task.done() for task in asking) < 18:  # noqa: ASYNC110 - what is waited for happens in many tasks
                    await asyncio.sleep(0.02)
            enough.set()
            assert sorted(await asyncio.gather(*asking)) == [200] * 2 + [503] * 18
            async with asyncio.timeout(30):
                while house.app.extensions["gateway"].outlets.streams.open:  # noqa: ASYNC110 - it tells nobody
                    await asyncio.sleep(0.02)


async def test_what_was_erased_is_not_remembered(feeds: Feeds, viewer: Any) -> None:
    async with streaming(viewer) as reader:
        feeds["employees"].add("employee", 1, "created")
        await reader.next()  # what comes from here on is remembered
        named = feeds["employees"].add("employee", 2, "created", username="zqmary")
        assert (await reader.next()).document["data"]["username"] == "zqmary"
        named["data"]["username"] = "erased-2"
        feeds["employees"].add("employee", 2, username="erased-2")["erased"] = True
        assert (await reader.next()).document["erased"]
        assert "zqmary" not in (await viewer.get("/v1/changes", params={"after": "e1.1~-"})).text

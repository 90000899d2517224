"""Clients and services that hold a place and move nothing: whichever way a request takes, it is given up."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
import pytest_asyncio

from shared.feed import MEDIA_TYPE
from shared.testing.feeds import FakeFeed
from shared.testing.raw import until
from shared.testing.told import Told

ROWS = msgspec.json.encode({"team": "t" * 200, "employee_id": 1, "role": "member", "since": "2026-01-02"}) + b"\n"
MUCH = 40 * 1024 * 1024
"""Bytes: more than all buffers between a service and a client hold."""

EVENTS = 2_000
FED = {"content-type": MEDIA_TYPE}
STREAM = ("GET /v1/changes?entity=team", b"Accept: text/event-stream\r\n\r\n")


@pytest_asyncio.fixture
async def narrow(settings: Any, open_house: Any) -> AsyncIterator[Any]:
    """A gateway of little patience, with room for one transfer to a service and one stream."""
    few = msgspec.structs.replace(settings, upstream_transfers=1, feed_streams=1)
    async with open_house(few, patience=0.5) as house:
        house.teams.on("GET /v1/teams/export", body=b"slug\r\n", headers={"content-type": "text/csv"})
        house.employees.on("GET /v1/employees", json={"items": [{"id": 1, "username": "ada"}], "next": None})
        yield house


@asynccontextmanager
async def stalled(browser: Any, request: str, body: bytes = b"") -> AsyncIterator[asyncio.StreamReader]:
    """Send this much and then nothing, and take nothing but what is read here."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        where = urlsplit(browser.url)
        sock.connect((where.hostname, where.port))
        reader, writer = await asyncio.open_connection(sock=sock, limit=4096)
        head = f"{request} HTTP/1.1\nHost: roster\nCookie: __Host-session={browser.cookie}\n"
        writer.write(head.replace("\n", "\r\n").encode() + body)
        try:
            yield reader
        finally:
            writer.transport.abort()


async def test_an_export_that_nobody_reads_leaves_its_place_in_the_lane(narrow: Any) -> None:
    narrow.teams.on("GET /v1/memberships/export", body=ROWS * (MUCH // len(ROWS)), headers={"content-type": "application/x-ndjson"})
    viewer = await narrow.browser().log_in("viewer")
    async with stalled(viewer, "GET /v1/memberships/export", b"\r\n"):
        await until(lambda: len(narrow.teams.seen) == 1)
        await until_status(503, lambda: status_of_export(viewer))
        await until_status(200, lambda: status_of_export(viewer))


@pytest.mark.parametrize("path", ["/v1/memberships/export", "/v1/teams/export"])
async def test_a_service_that_says_nothing_keeps_no_place(narrow: Any, path: str) -> None:
    narrow.teams.on(f"GET {path}", hang=True)
    viewer = await narrow.browser().log_in("viewer")
    assert (await viewer.get(path)).status_code == 504
    narrow.teams.on("GET /v1/teams/export", body=b"slug\r\n", headers={"content-type": "text/csv"})
    assert await status_of_export(viewer) == 200


@pytest.mark.parametrize("path", ["/v1/memberships/import", "/v1/memberships/import?atomic=true", "/v1/teams/import"])
async def test_an_import_that_stops_is_408_and_leaves_its_place(narrow: Any, path: str) -> None:
    editor = await narrow.browser().log_in("editor")
    part = b"Content-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nteam,username\na,\r\n"
    async with stalled(editor, f"POST {path}", part) as reader:
        assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")
        await until_status(200, lambda: status_of_export(editor))


async def test_a_stream_that_nobody_reads_leaves_its_place_to_others(narrow: Any) -> None:
    feed = FakeFeed("/teams", "t1")
    for number in range(EVENTS):
        feed.add("team", number + 1, name="x" * (MUCH // EVENTS))
    narrow.teams.on("GET /v1/changes", lambda seen: Told(body=feed.answer(dict(parse_qsl(seen.query)))[1], headers=FED))
    viewer = await narrow.browser().log_in("viewer")
    async with stalled(viewer, *STREAM) as reader:
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        assert (await status_of_another(viewer)) == 503
        await until_status(200, lambda: status_of_another(viewer))


async def status_of_another(browser: Any) -> int:
    async with stalled(browser, *STREAM) as reader:
        return int((await reader.readline()).split()[1])


async def status_of_export(browser: Any) -> int:
    return int((await browser.get("/v1/teams/export")).status_code)


async def until_status(status: int, ask: Callable[[], Awaitable[int]]) -> None:
    """Ask until this is the answer."""
    async with asyncio.timeout(15):
        while await ask() != status:
            pass

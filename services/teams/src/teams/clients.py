"""The feed of employees, as teams reads it: over a pool of kept connections, signed with teams' own key."""

import asyncio
from typing import Any, Final

import httpx
import msgspec
from werkzeug.routing import Map, MapAdapter, Rule

from shared.feed import MEDIA_TYPE
from shared.identity import Caller, Minter
from shared.pool import Pool, PoolTransport

RULES: Final = Map([Rule("/v1/changes", endpoint="list_changes", methods=["GET"])])
"""The operations of employees that teams uses, under their owner's names; a test proves them against it."""

ASKS: Final = ("after", "wait", "limit")
"""The query parameters that it is asked with."""

BATCH: Final = 500
MAX_BODY: Final = 16 * 1024 * 1024
PATIENCE: Final = 10.0
"""Seconds that an answer may take beyond the time that it was asked to wait."""


class FeedFault(Exception):
    """The feed can't be read at the moment; the message says why."""


class FeedGone(Exception):
    """The cursor is from before a restore of employees: the feed is to be read from its beginning."""


class EmployeeState(msgspec.Struct, frozen=True):
    """What teams needs of an employee. Someone whose data were erased has no username."""

    id: int
    username: str | None = None
    status: str | None = None
    created_at: str | None = None


class Event(msgspec.Struct, frozen=True):
    """One change; `id` is the cursor to go on with, `data` is null when the record was deleted."""

    id: str
    type: str
    subject: str
    time: str
    data: EmployeeState | None = None

    @property
    def seq(self) -> int:
        """Its place in the log."""
        return int(self.id.rpartition(".")[2])


class Employees:
    """The employees service. Making one connects to nothing."""

    def __init__(self, url: str, signing_key: str) -> None:
        self._urls: MapAdapter = RULES.bind("employees")
        self._pool = Pool(url, size=2)
        self._client = httpx.AsyncClient(transport=PoolTransport(self._pool, max_body=MAX_BODY), base_url=self._pool.base_url)
        self._minter = Minter("teams", signing_key) if signing_key else None
        self._decode = msgspec.json.Decoder(list[Event]).decode

    def url_for(self, operation: str, **values: Any) -> str:
        """The path of an operation with its query. KeyError-like BuildError for one that is not declared."""
        return self._urls.build(operation, {name: value for name, value in values.items() if value is not None})

    async def changes(self, after: str | None, *, wait: int) -> list[Event]:
        """The events after a cursor (None: from the first), waiting for the first one up to `wait` seconds. Raises FeedGone, FeedFault."""
        url = self.url_for("list_changes", **dict(zip(ASKS, (after, wait, BATCH), strict=True)))
        deadline = asyncio.get_running_loop().time() + wait + PATIENCE
        timeout = httpx.Timeout(wait + PATIENCE, connect=2.0)
        try:
            response = await self._client.get(url, headers=self._headers(), timeout=timeout, extensions={"deadline": deadline})
        except httpx.HTTPError as error:
            raise FeedFault(f"{type(error).__name__}: {error}") from error
        if response.status_code == httpx.codes.GONE:
            raise FeedGone
        if response.status_code != httpx.codes.OK:
            raise FeedFault(f"status {response.status_code}")
        if response.headers.get("content-type", "").partition(";")[0] != MEDIA_TYPE:
            raise FeedFault("the answer is no batch of events")
        return self._events(response.content)

    def _events(self, content: bytes) -> list[Event]:
        try:
            events = self._decode(content)
            places = [event.seq for event in events]
        except (msgspec.MsgspecError, ValueError) as error:
            raise FeedFault(f"the answer is no batch of events: {error}") from error
        if places != sorted(set(places)):
            raise FeedFault("the events are out of order")
        return events

    def _headers(self) -> dict[str, str]:
        if self._minter is None:
            return {}
        return {"Authorization": f"Bearer {self._minter.mint(Caller('service:teams', 'teams', 'feed', 'teams'), 'employees')}"}

    async def aclose(self) -> None:
        """Cut every connection."""
        await self._client.aclose()
        await self._pool.aclose()

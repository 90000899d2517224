"""A gateway on a real socket, in front of services that do as they are told."""

import asyncio
import contextlib
import shutil
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import msgspec
import pytest
import pytest_asyncio

from gateway import create_app
from gateway.config import Settings
from gateway.passwords import Passwords
from gateway.store import accounts
from shared.changes import Author
from shared.client import PATIENCE
from shared.db import Database
from shared.feed import MEDIA_TYPE
from shared.identity import generate_key
from shared.migrate import upgrade
from shared.testing import answers
from shared.testing.answers import Rules, checked
from shared.testing.databases import database_url  # noqa: F401 - a fixture, found by name
from shared.testing.feeds import FakeFeed
from shared.testing.nats import nats_server  # noqa: F401 - a fixture, found by name
from shared.testing.redis import redis  # noqa: F401 - a fixture, found by name
from shared.testing.serving import serving
from shared.testing.told import Fake, Seen, Told

PASSWORD = "correct battery staple horse"
COOKIE = "__Host-session"
ROLES = ("viewer", "editor", "admin")
SIGNING_KEY, PUBLIC_KEYS = generate_key("gateway-1")


class Clock:
    """Seconds since the epoch, moved by hand."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Browser:
    """A client that keeps the session's cookie, over plain http too."""

    def __init__(self, url: str, http: httpx.AsyncClient) -> None:
        self.url = url
        self.cookie: str | None = None
        self._http = http

    async def __call__(self, method: str, path: str, *, json: Any = None, **options: Any) -> httpx.Response:
        headers = dict(options.pop("headers", {}))
        if self.cookie is not None:
            headers.setdefault("Cookie", f"{COOKIE}={self.cookie}")
        if json is not None:
            options["content"] = msgspec.json.encode(json)
            headers.setdefault("Content-Type", "application/json")
        response = await self._http.request(method, self.url + path, headers=headers, **options)
        for value in response.headers.get_list("set-cookie"):
            self.cookie = value.partition(";")[0].partition("=")[2] or None
        self._http.cookies.clear()
        return response

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self("GET", path, **options)

    async def log_in(self, username: str = "editor", password: str = PASSWORD) -> "Browser":
        patience = {"X-Request-Timeout-Ms": "10000"}  # on a busy machine a hash takes its time
        answer = await self("POST", "/v1/session", json={"username": username, "password": password}, headers=patience)
        assert answer.status_code == 200, answer.text
        return self


@dataclass
class House:
    """One gateway with two services behind it."""

    app: Any
    url: str
    employees: Fake
    teams: Fake
    clock: Clock
    _http: httpx.AsyncClient

    def browser(self) -> Browser:
        return Browser(self.url, self._http)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with an account of each role, made once."""
    path = tmp_path_factory.mktemp("template") / "gateway.db"
    upgrade(f"sqlite:///{path}", "gateway")
    asyncio.run(_add_accounts(f"sqlite:///{path}"))
    with contextlib.closing(sqlite3.connect(path)) as database:  # what a copy of this file alone would miss
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


async def _add_accounts(url: str) -> None:
    passwords, db = Passwords(), Database(url)
    kept = await passwords.hash(PASSWORD)
    passwords.close()
    await db.open()
    for role in ROLES:
        await db.write(partial(accounts.add_account, username=role, role=role, password_hash=kept, author=Author("test", "test")))
    await db.close()


@pytest.fixture
def settings(template: Path, tmp_path: Path) -> Settings:
    """Settings of a gateway whose database has the three accounts."""
    shutil.copy(template, tmp_path / "gateway.db")
    return Settings(
        database_url=f"sqlite:///{tmp_path / 'gateway.db'}",
        signing_key=SIGNING_KEY,
        session_keys="k" * 40,
        admin_password_file=str(tmp_path / "admin-password"),
        readers=2,
        access_log=False,
        log_in_limit=0,
        log_in_limit_address=0,
        connect_timeout_ms=5_000,  # on a busy machine a connection may take its time
    )


@pytest_asyncio.fixture
async def house(settings: Settings) -> AsyncIterator[House]:
    """A gateway and two fake services, all on sockets of their own."""
    async with opened(settings) as found:
        yield found


def is_passed_on(operation: Mapping[str, Any], seen: answers.Seen) -> bool:
    """Whether an answer comes from a service, which here says what it was told to say."""
    if seen.status == 404 and "404" not in operation["responses"]:
        return True
    return "x-upstream" in operation and not seen.given & operation.get("x-detour", {}).keys()


def rules_of(app: Any) -> Rules:
    """What the document says of the gateway's own answers; the records in them are the services', who here say too little."""
    document = app.extensions["openapi"]()
    components = document["components"]
    records = {name: {"type": "object"} for name in ("Employee", "PlacedEmployee", "Team", "Subteam", "Membership")}
    return Rules({**document, "components": {**components, "schemas": {**components["schemas"], **records}}}, skips=is_passed_on)


class opened:  # noqa: N801 - used like a function
    """A House as long as the block lasts; `clock` may be shared by several. With `alone`, the settings say where the services are;
    `patience` is the gateway's with clients that move nothing.
    """

    def __init__(self, settings: Settings, clock: Clock | None = None, *, alone: bool = False, patience: float = PATIENCE) -> None:
        self._settings = settings
        self._alone = alone
        self._patience = patience
        self._clock = clock or Clock()
        self._open: list[AbstractAsyncContextManager[Any]] = []

    async def __aenter__(self) -> House:
        employees, teams = Fake(), Fake()
        employees.url, teams.url = await self._enter(serving(employees, lifespan=False)), await self._enter(serving(teams, lifespan=False))
        where = {} if self._alone else {"employees_url": employees.url, "teams_url": teams.url}
        app = create_app(msgspec.structs.replace(self._settings, **where), clock=self._clock, patience=self._patience)
        await self._enter(checked(app, rules_of(app)))
        url = await self._enter(serving(app))
        http = await self._enter(httpx.AsyncClient(trust_env=False, timeout=20))
        return House(app, url, employees, teams, self._clock, http)

    async def __aexit__(self, *details: Any) -> None:
        await self._open.pop().__aexit__(None, None, None)
        await asyncio.gather(*(one.__aexit__(None, None, None) for one in self._open))

    async def _enter(self, one: AbstractAsyncContextManager[Any]) -> Any:
        entered = await one.__aenter__()
        self._open.append(one)
        return entered


@pytest.fixture
def feeds(house: House) -> dict[str, FakeFeed]:
    """The feeds of both services, by name, written by hand."""
    found = {"employees": FakeFeed("/employees", "e1"), "teams": FakeFeed("/teams", "t1")}
    for service, fake in (("employees", house.employees), ("teams", house.teams)):
        fake.on("GET /v1/changes", partial(_fed, found[service]))
    return found


def _fed(feed: FakeFeed, seen: Seen) -> Told:
    status, body = feed.answer(dict(parse_qsl(seen.query)))
    return Told(body=body, status=status, headers={"content-type": MEDIA_TYPE if status == 200 else "application/problem+json"})


@pytest.fixture
def open_house() -> type[opened]:
    """To open several."""
    return opened


@pytest_asyncio.fixture
async def editor(house: House) -> Browser:
    """Someone logged in who may write."""
    return await house.browser().log_in("editor")


@pytest_asyncio.fixture
async def viewer(house: House) -> Browser:
    """Someone logged in who may read."""
    return await house.browser().log_in("viewer")


@pytest_asyncio.fixture
async def admin(house: House) -> Browser:
    """Someone logged in who may do everything."""
    return await house.browser().log_in("admin")

"""A gateway on a real socket, in front of services that do as they are told."""

import asyncio
import contextlib
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
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
from shared.db import Database
from shared.feed import MEDIA_TYPE
from shared.identity import generate_key
from shared.migrate import upgrade
from shared.testing import answers
from shared.testing.answers import Rules, checked
from shared.testing.databases import database_url  # noqa: F401 - a fixture, found by name
from shared.testing.feeds import FakeFeed
from shared.testing.redis import redis  # noqa: F401 - a fixture, found by name
from shared.testing.serving import serving

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


@dataclass
class Seen:
    """A request as a service saw it."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Told:
    """What a service is to answer. `hang` answers never; `cut` breaks off in the middle of the body."""

    json: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    hang: bool = False
    cut: bool = False


Answer = Told | Callable[[Seen], Told]


class Fake:
    """A service that does as it is told: answers by method and path, 404 otherwise. Its feed has no news, unless told so."""

    def __init__(self) -> None:
        self.url = "http://127.0.0.1:1"
        self.seen: list[Seen] = []
        self._answers: dict[str, Answer] = {}

    def on(self, request: str, answer: Answer | None = None, **told: Any) -> None:
        """`request` is "GET /v1/employees/7"."""
        self._answers[request] = answer or Told(**told)

    def in_turn(self, request: str, *answers: Mapping[str, Any]) -> None:
        """One answer after another; the last one stays."""
        left = [Told(**answer) for answer in answers]
        self._answers[request] = lambda seen: left.pop(0) if len(left) > 1 else left[0]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/v1/changes" and "GET /v1/changes" not in self._answers:
            await self._no_news(scope, send)
            return
        seen = await self._note(scope, receive)
        answer = self._answers.get(f"{seen.method} {seen.path}", Told({"detail": "there is no such thing"}, 404))
        told = answer if isinstance(answer, Told) else answer(seen)
        if told.hang:
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        body = told.body if told.body is not None else msgspec.json.encode(told.json)
        headers = {"content-type": "application/json", "content-length": str(len(body) + (10 if told.cut else 0)), **told.headers}
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": told.status, "headers": raw})
        await send({"type": "http.response.body", "body": body, "more_body": told.cut})
        if told.cut:
            raise ConnectionAbortedError("told to break off")

    async def _no_news(self, scope: Any, send: Any) -> None:
        """An empty batch, after a while for whoever waits for more."""
        if b"wait=0" not in scope["query_string"]:
            await asyncio.sleep(0.2)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/cloudevents-batch+json")]})
        await send({"type": "http.response.body", "body": b"[]"})

    async def _note(self, scope: Any, receive: Any) -> Seen:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        seen = Seen(scope["method"], scope["raw_path"].decode(), scope["query_string"].decode(), headers, body)
        self.seen.append(seen)
        return seen


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
    """A House as long as the block lasts; `clock` may be shared by several. With `alone`, the settings say where the services are."""

    def __init__(self, settings: Settings, clock: Clock | None = None, *, alone: bool = False) -> None:
        self._settings = settings
        self._alone = alone
        self._clock = clock or Clock()
        self._open: list[AbstractAsyncContextManager[Any]] = []

    async def __aenter__(self) -> House:
        employees, teams = Fake(), Fake()
        employees.url, teams.url = await self._enter(serving(employees, lifespan=False)), await self._enter(serving(teams, lifespan=False))
        where = {} if self._alone else {"employees_url": employees.url, "teams_url": teams.url}
        app = create_app(msgspec.structs.replace(self._settings, **where), clock=self._clock)
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

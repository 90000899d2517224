"""A gateway that delivers to receivers on this machine."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from gateway.config import Settings
from shared.testing.serving import serving


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Quick to try again, and to give up."""
    return msgspec.structs.replace(settings, webhook_private=True, webhook_retry=0.02, webhook_attempts=4)


@dataclass
class Receiver:
    """Someone who receives. `answers` are the statuses to give first; after them, 204. What is not 2xx says `retry_after`, in seconds.

    Nothing is answered while `takes` is not set.
    """

    url: str = ""
    answers: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    retry_after: int = 0
    takes: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.takes.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.got.append(({name.decode(): value.decode() for name, value in scope["headers"]}, body))
        await self.takes.wait()
        status = self.answers.pop(0) if self.answers else 204
        headers = [(b"retry-after", str(self.retry_after).encode())] if status >= 300 and self.retry_after else []
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    @property
    def ids(self) -> list[str]:
        """The ids of the events that came, in order, repetitions included."""
        return [msgspec.json.decode(body)["id"] for _, body in self.got]

    async def becomes(self, ids: list[str]) -> None:
        """Wait until these have come."""
        async with asyncio.timeout(30):
            while self.ids != ids:
                assert self.ids == ids[: len(self.ids)], self.ids
                await asyncio.sleep(0.02)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """One that listens; at the end it answers whatever it has kept waiting."""
    found = Receiver()
    async with serving(found, lifespan=False) as url:
        found.url = f"{url}/hook"
        yield found
        found.takes.set()


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


@pytest_asyncio.fixture
async def another() -> AsyncIterator[Receiver]:
    """Another receiver."""
    async with receiving() as found:
        yield found


@pytest.fixture
def create(admin: Any) -> Callable[..., Awaitable[dict[str, Any]]]:
    """Makes a webhook to an address; it as it was answered."""

    async def make(url: str, **rest: Any) -> dict[str, Any]:
        answer = await admin("POST", "/v1/webhooks", json={"url": url, **rest})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    return make

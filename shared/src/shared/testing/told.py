"""A service that does as it is told, as an ASGI app."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from shared.feed import MEDIA_TYPE


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
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", MEDIA_TYPE.encode())]})
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

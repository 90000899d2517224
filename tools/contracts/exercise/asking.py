"""One request to an app within this process, and its answer; bodies that never end included."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from shared.testing.answers import Seen

LOOPBACK: Final = ("127.0.0.1", 8000)
ELSEWHERE: Final = ("192.0.2.1", 8000)
PATIENCE: Final = 30.0


@dataclass(frozen=True, kw_only=True)
class Case:
    """A request to an operation, and the status that it is to get. `names` is a field that the problem has to name;
    `shows` is a document whose members the answer has too, of the same types: it may have more, and other values.
    `gives` is a header that it has.


    `endless` sends the body but never its end; `role` is of who asks, None for nobody; `server` is the address that takes the request.
    """

    operation: str
    status: int
    about: str
    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    role: str | None = "editor"
    endless: bool = False
    server: tuple[str, int] = LOOPBACK
    names: str | None = None
    shows: Any = None
    gives: str | None = None

    def __str__(self) -> str:
        return f"{self.operation} {self.status} ({self.about})"


def query_of(values: Mapping[str, Any]) -> str:
    """Lists with commas, truth in small letters, as the services take them."""
    return urlencode({name: _text(value) for name, value in values.items()}, safe=",")


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def body_of(value: Any) -> bytes:
    """The bytes of a body: text as it is, everything else as JSON."""
    return value.encode() if isinstance(value, str) else b"" if value is None else msgspec.json.encode(value)


async def ask(app: Any, case: Case, headers: Mapping[str, str]) -> Seen:
    """The answer to a case, with these headers more."""
    sent = {name.lower(): value for name, value in {**headers, **case.headers}.items()}
    if case.body and not case.endless:
        sent["content-length"] = str(len(case.body))
    if case.endless:
        sent["transfer-encoding"] = "chunked"
    query = query_of(case.query)
    seen = Seen(case.method, case.path, query, sent)
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "scheme": "http",
        "root_path": "",
        "method": case.method,
        "path": case.path,
        "raw_path": case.path.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in sent.items()],
        "server": case.server,
        "client": (case.server[0], 50_000),
    }
    async with asyncio.timeout(PATIENCE):
        await asyncio.create_task(app(scope, _Body(case).receive, _noted(seen)))
    return seen


class _Body:
    """What the server hands on of a request's body."""

    def __init__(self, case: Case) -> None:
        self._pieces = [{"type": "http.request", "body": case.body, "more_body": case.endless}]

    async def receive(self) -> Any:
        if self._pieces:
            return self._pieces.pop()
        await asyncio.Event().wait()
        return None


def _noted(seen: Seen) -> Any:
    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            seen.status = message["status"]
            seen.headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in message["headers"]}
        elif message["type"] == "http.response.body":
            seen.body += message.get("body", b"")
            seen.whole = not message.get("more_body", False)

    return send

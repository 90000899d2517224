"""Calls to an app that runs in the test's own process."""

from collections.abc import Mapping
from typing import Any

import msgspec
from quart import Quart

LOCAL: Any = {"server": ("127.0.0.1", 8000), "client": ("127.0.0.1", 50000)}
"""What the ASGI scope says of a caller on this machine."""


class Answer:
    """What came back."""

    def __init__(self, status: int, headers: Any, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def items(self) -> list[dict[str, Any]]:
        """The items of a list that was answered."""
        assert self.status == 200, self.body
        return list(self.json["items"])

    @property
    def fields(self) -> list[str]:
        """The fields that a problem names."""
        return [error["field"] for error in self.json.get("errors", ())]


class Calls:
    """`await api("GET", "/v1/things")`: one request to an app, as a caller on this machine."""

    def __init__(self, app: Quart) -> None:
        self.app = app
        self._client: Any = app.test_client()  # its type demands a `json` that it does not need

    async def __call__(
        self, method: str, path: str, json: Any = None, *, data: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """`json` is sent as such, `data` as it is."""
        sent = dict(headers or {})
        if json is not None:
            data = msgspec.json.encode(json)
            sent.setdefault("Content-Type", "application/json")
        response = await self._client.open(path, method=method, data=data, headers=sent, scope_base=LOCAL)
        return Answer(response.status_code, response.headers, bytes(await response.get_data(as_text=False)))

    async def walk(self, path: str) -> list[dict[str, Any]]:
        """The items of all pages of a list, following `next`."""
        found: list[dict[str, Any]] = []
        at: str | None = path
        while at is not None:
            answer = await self("GET", at)
            found += answer.items
            cursor = answer.json["next"]
            at = None if cursor is None else f"{path}{'&' if '?' in path else '?'}cursor={cursor}"
        return found

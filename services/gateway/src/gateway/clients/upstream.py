"""One service, asked by the names of its operations."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

import httpx
from werkzeug.routing import BuildError, Map
from werkzeug.routing import Rule as WerkzeugRule

from gateway.clients import answers
from gateway.clients.faults import failure, refusal
from gateway.clients.rules import Rule
from gateway.resilience import Calls
from shared import converters
from shared.client import PATIENCE
from shared.errors import BadGateway
from shared.identity import Caller
from shared.pool import PoolTransport
from shared.pool.transport import Sender

MAX_ANSWER: Final = 1024 * 1024
Kind = TypeVar("Kind")
Reply = httpx.Response
"""A service's answer, read whole."""

Parameters = Mapping[str, str | int | bool | list[int] | list[str]]


@dataclass(slots=True)
class Instant:
    """The time that services are asked about, the same for all of them; and up to when all that they answered is settled."""

    at: str
    stable: str = ""

    def note(self, service: str, response: httpx.Response) -> None:
        """Take in what an answer says. Raises BadGateway for one that does not say it."""
        stable = response.headers.get("x-as-of-stable", "")
        if response.headers.get("x-as-of") != self.at or not stable:
            raise BadGateway(f"The {service} service did not answer for the time that it was asked about.")
        self.stable = min(self.stable, stable) if self.stable else stable


@dataclass(frozen=True, slots=True)
class Ask:
    """On whose behalf a service is asked, until when (seconds of the event loop's clock; None: as long as bytes move), and about which
    instant (None: how things are).
    """

    caller: Caller
    request_id: str
    traceparent: str
    deadline: float | None
    instant: Instant | None = None

    def about(self, query: Parameters | None) -> Parameters | None:
        """A query, with the instant."""
        return query if self.instant is None else {**(query or {}), "as_of": self.instant.at}


class Upstream:
    """A service. Every URL is built from the owner's operation names; no other reaches the wire."""

    def __init__(
        self, name: str, rules: tuple[Rule, ...], calls: Calls, bearer: Callable[[Caller], str], *, patience: float = PATIENCE
    ) -> None:
        self.name = name
        self.calls = calls
        url_map = Map()
        converters.install(url_map)
        for rule in rules:
            url_map.add(WerkzeugRule(rule.path, endpoint=rule.name, methods=[rule.method]))
        self._methods = {rule.name: rule.method for rule in rules}
        self._asks = {rule.name: frozenset(rule.asks) for rule in rules}
        self._reads = {rule.name: rule.reads for rule in rules}
        self._urls = url_map.bind("service")
        self._bearer = bearer
        self._patience = patience
        self._http = _client(calls.requests, MAX_ANSWER)
        self._streams = _client(calls.lanes["transfers"], None)

    def url_for(self, operation: str, query: Parameters | None = None, /, **ids: int) -> str:
        """The path and query of an operation. Raises ValueError for what no rule names, or for ids that are none."""
        if any(type(value) is not int for value in ids.values()):
            raise ValueError("only integers stand in a path")
        if query and not query.keys() <= self._asks.get(operation, frozenset()):
            raise ValueError(f"{operation} of {self.name} is not asked with {sorted(query)}: name them in its rule")
        try:
            path = self._urls.build(operation, ids, method=self._methods.get(operation), append_unknown=False)
        except BuildError as error:
            raise ValueError(f"{self.name} has no operation {operation} with {sorted(ids)}") from error
        return f"{path}?{urlencode({name: _text(value) for name, value in query.items()}, safe=',')}" if query else path

    async def get(self, ask: Ask, operation: str, kind: type[Kind], query: Parameters | None = None, /, **ids: int) -> tuple[Any, Kind]:
        """An operation's answer, as plain values and as `kind`. Raises the Problem that stands for what went wrong."""
        if kind not in self._reads.get(operation, ()):
            raise ValueError(f"{operation} of {self.name} is not read as {kind}: name it in its rule")
        response = await self._send(ask, operation, self.url_for(operation, ask.about(query), **ids))
        if ask.instant is not None:
            ask.instant.note(self.name, response)
        return answers.read(self.name, response, kind)

    async def send(
        self,
        ask: Ask,
        operation: str,
        query: Parameters | None = None,
        /,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        **ids: int,
    ) -> httpx.Response:
        """A whole answer that tells of success (2xx). Raises the Problem that stands for anything else."""
        return await self._send(ask, operation, self.url_for(operation, query, **ids), headers, body)

    @asynccontextmanager
    async def stream(
        self,
        ask: Ask,
        operation: str,
        query: Parameters | None = None,
        /,
        *,
        headers: Mapping[str, str] | None = None,
        body: AsyncIterable[bytes] | None = None,
    ) -> AsyncIterator[httpx.Response]:
        """An answer whose body is read piece by piece, to a request whose body may be so too. 4xx and 5xx come as answers.

        Raises the Problem that stands for a failed transport, also while the body is read inside.
        """
        request = self._request(self._streams, ask, operation, self.url_for(operation, ask.about(query)), headers, body)
        try:
            response = await self._streams.send(request, stream=True)
            try:
                if ask.instant is not None and response.is_success:
                    ask.instant.note(self.name, response)
                yield response
            finally:
                await response.aclose()
        except httpx.HTTPError as error:
            raise failure(self.name, error) from error

    async def upload(
        self, ask: Ask, operation: str, query: Parameters, /, *, content_type: str, body: AsyncIterable[bytes], limit: int
    ) -> httpx.Response:
        """The whole answer, of any status, to a streamed body. Raises Problem, also for an answer of more than `limit` bytes."""
        async with self.stream(ask, operation, query, headers={"Content-Type": content_type}, body=body) as response:
            content = bytearray()
            async for piece in response.aiter_raw():
                content += piece
                if len(content) > limit:
                    raise BadGateway(f"The {self.name} service gave an answer of more than {limit} bytes.")
        return httpx.Response(response.status_code, headers=response.headers, content=bytes(content))

    async def close(self) -> None:
        """Close the connections."""
        await self.calls.aclose()

    async def _send(
        self, ask: Ask, operation: str, url: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> httpx.Response:
        request = self._request(self._http, ask, operation, url, headers, body)
        try:
            response = await self._http.send(request)
        except httpx.HTTPError as error:
            raise failure(self.name, error) from error
        if not response.is_success:
            raise refusal(self.name, response)
        return response

    def _request(
        self,
        client: httpx.AsyncClient,
        ask: Ask,
        operation: str,
        url: str,
        headers: Mapping[str, str] | None,
        body: bytes | AsyncIterable[bytes] | None,
    ) -> httpx.Request:
        ours = {
            "Accept": "application/json",
            **(headers or {}),
            "Authorization": f"Bearer {self._bearer(ask.caller)}",
            "X-Request-ID": ask.request_id,
            "traceparent": ask.traceparent,
        }
        extensions = {"deadline": ask.deadline}
        idle = self._patience if ask.deadline is None else None
        return client.build_request(self._methods[operation], url, headers=ours, content=body, extensions=extensions, timeout=idle)


def _client(sender: Sender, max_body: int | None) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=PoolTransport(sender, max_body=max_body), base_url=sender.origin.url, trust_env=False, follow_redirects=False
    )


def _text(value: str | int | bool | list[int] | list[str]) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)

"""What the gateway passes on: the request as it came, and of the answer the status and the headers that its clients are promised."""

import asyncio
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest

from gateway.forward import Forwarder
from gateway.resilience import Calls
from shared.identity import Caller, Minter
from shared.pool import Pool
from shared.testing.callers import Signer
from tools.contracts.asked import employees_by_gateway, teams_by_gateway
from tools.contracts.pacts import Exchange, body_of, make

CALLER = Caller("account:1", "ada", "editor", "gateway")
MINTER = Minter("gateway", Signer("gateway").private_key)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OWN = ("Authorization", "traceparent", "X-Request-ID")
FORWARDED = [(name, one) for name, every in (("employees", employees_by_gateway), ("teams", teams_by_gateway)) for one in every.FORWARDED]


@dataclass
class Client:
    """The client of one request: what it sends, and what it gets."""

    body: bytes
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)

    async def receive(self) -> Any:
        body, self.body = self.body, b""
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}


def scope_of(one: Exchange, body: bytes) -> dict[str, Any]:
    """The request as the gateway's server gives it."""
    headers = {name.lower(): str(value) for name, value in one.sends.items() if name not in OWN}
    if body:
        headers |= {"content-type": one.body_type, "content-length": str(len(body))}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    return {
        "type": "http",
        "method": one.method,
        "raw_path": one.path.encode(),
        "query_string": urlencode(one.query).encode(),
        "headers": raw,
    }


@pytest.mark.parametrize(("service", "one"), FORWARDED, ids=lambda part: getattr(part, "description", part))
async def test_the_gateway_passes_on_what_the_pact_says(service: str, one: Exchange) -> None:
    body = body_of(one)
    client = Client(body)
    with make("gateway", service, [one]).serve("127.0.0.1", raises=True) as server:
        pool = Pool(str(server.url).rstrip("/"), size=1)
        forward = Forwarder(Calls(pool, pool), service, lambda caller: MINTER.mint(caller, service))
        deadline = asyncio.get_running_loop().time() + 10
        try:
            await forward(
                scope_of(one, body),
                client.receive,
                client.send,
                caller=CALLER,
                request_id="request-1",
                traceparent=TRACE,
                deadline=deadline,
            )
        finally:
            await pool.aclose()
    assert client.status == one.status
    assert {name.lower() for name in one.headers} <= client.headers.keys()

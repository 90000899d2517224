"""The requests of a released document, sent to the service of today; its answers are compared with the released document."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec

from shared.testing.answers import Rules, Seen
from shared.testing.serving import serving
from tools.contracts.documents import REQUESTS, gateway_app
from tools.contracts.states import world_of


@asynccontextmanager
async def living(service: str, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a service that lives, empty at first, as someone who may do everything; for the gateway, with both services behind it."""
    async with AsyncExitStack() as stack:
        urls = {}
        for name in ("employees", "teams") if service == "gateway" else (service,):
            world = await stack.enter_async_context(world_of("gateway", name, f"sqlite:///{folder / name}.db").living())
            await world.start()
            if service == "gateway":
                world.as_they_come()
            else:
                world.as_role("admin")
            urls[name] = world.url
        if service != "gateway":
            yield await stack.enter_async_context(httpx.AsyncClient(base_url=urls[service], trust_env=False, timeout=20))
            return
        password = folder / "password"
        app = gateway_app(
            f"sqlite:///{folder / 'gateway'}.db", employees_url=urls["employees"], teams_url=urls["teams"], password_file=str(password)
        )
        url = await stack.enter_async_context(serving(app))
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=url, trust_env=False, timeout=20))
        for _ in range(2):  # the examples are of someone who was there before
            client.headers.pop("Cookie", None)
            await _log_in(client, password.read_text("utf-8").split()[-1])
        yield client


async def _log_in(client: httpx.AsyncClient, password: str) -> None:
    answer = await client.post("/v1/session", json={"username": "admin", "password": password})
    assert answer.status_code == 200, answer.text
    client.headers["Cookie"] = answer.headers["set-cookie"].partition(";")[0]  # secure: the client itself would not send it over http
    client.cookies.clear()


async def replay(document: Mapping[str, Any], client: httpx.AsyncClient) -> list[str]:
    """What is wrong with the answers, by the document whose requests are sent."""
    rules = Rules(document, additions=True)
    found = []
    for one in document[REQUESTS]:
        seen = await ask(client, one)
        if seen.status != one["status"]:
            found.append(f"{one['operation']}: answers {seen.status}, promised was {one['status']}: {seen.body[:300]!r}")
        found += [f"{one['operation']}: {fault}" for fault in rules.faults(seen)]
        client.cookies.clear()
    return found


async def ask(client: httpx.AsyncClient, one: Mapping[str, Any]) -> Seen:
    """Send a request of an example."""
    body = one["body"]
    content = b"" if body is None else body.encode() if isinstance(body, str) else msgspec.json.encode(body)
    headers = {**one["headers"], **({"Content-Type": one["media_type"]} if body is not None else {})}
    response = await client.request(one["method"], one["target"], content=content, headers=headers)
    given = {name.lower(): value for name, value in headers.items()}
    answered = {name.lower(): value for name, value in response.headers.items()}
    path, _, query = one["target"].partition("?")
    return Seen(one["method"], path, query, given, response.status_code, answered, response.content, whole=True)

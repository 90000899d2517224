"""Every example of the documents is true: sent in its order to services that were empty, its answer is the one that is shown."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from quart import Quart

import employees
import employees.config
import employees.examples
import gateway
import gateway.config
import gateway.examples
import teams
import teams.config
import teams.examples
from shared.identity import generate_key
from shared.openapi import Example
from shared.testing.answers import checked
from shared.testing.callers import Signer
from shared.testing.calls import Calls
from shared.testing.examples import Send, fault_of
from shared.testing.serving import serving
from tools.contracts.story import story

SERVICES: Any = {"employees": employees, "teams": teams}


def app_of(service: str, folder: Path, **settings: Any) -> Quart:
    url = f"sqlite:///{folder / service}.db"
    module = SERVICES[service]
    app: Quart = module.create_app(module.config.Settings(database_url=url, access_log=False, log_level="error", **settings))
    return app


@pytest.mark.parametrize("service", SERVICES)
async def test_the_examples_of_a_service_are_true(service: str, tmp_path: Path) -> None:
    signer = Signer()
    app = app_of(service, tmp_path, identity_keys=signer.public_keys)
    async with app.test_app(), checked(app):
        api = Calls(app)

        async def send(method: str, target: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
            answer = await api(method, target, data=body, headers={**headers, **signer.headers(service, "admin")})
            return answer.status, answer.body

        assert await faults(send, app, story(service)) == []


async def faults(send: Send, app: Quart, examples: dict[str, Example]) -> list[str]:
    document = app.extensions["openapi"]()
    found = [await fault_of(send, document, name, example) for name, example in examples.items()]
    return [fault for fault in found if fault is not None]


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Quart]:
    """A gateway with both services behind it, all empty."""
    signing, public = generate_key("gateway")
    async with AsyncExitStack() as stack:
        urls: dict[str, Any] = {}
        for service in SERVICES:
            app = app_of(service, tmp_path, identity_keys=public)
            urls[f"{service}_url"] = await stack.enter_async_context(serving(app))
        settings = gateway.config.Settings(
            database_url=f"sqlite:///{tmp_path}/gateway.db",
            signing_key=signing,
            session_keys="k" * 40,
            admin_password_file=str(tmp_path / "admin-password"),
            access_log=False,
            **urls,
        )
        yield gateway.create_app(settings)


async def test_the_examples_are_true_at_the_gateway(door: Quart, tmp_path: Path) -> None:
    examples = story("gateway")
    assert set(gateway.examples.EXAMPLES) <= examples.keys()
    async with checked(door), serving(door) as url, httpx.AsyncClient(trust_env=False, timeout=20) as http:
        password = (tmp_path / "admin-password").read_text("utf-8").split()[-1]
        cookie = ""
        await http.post(f"{url}/v1/session", json={"username": "admin", "password": password})
        http.cookies.clear()

        async def send(method: str, target: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
            nonlocal cookie
            if body is not None and target in ("/v1/session", "/v1/password"):
                body = body.replace(examples["log_in"].body["password"].encode(), password.encode())
            response = await http.request(method, url + target, content=body, headers={**headers, "Cookie": cookie})
            cookie = response.headers.get("Set-Cookie", cookie).partition(";")[0]
            http.cookies.clear()
            return response.status_code, response.content

        assert await faults(send, door, examples) == []

"""A gateway, its OpenID provider, and browsers that go between them."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest
import pytest_asyncio

from shared.testing.provider import IdentityProvider
from shared.testing.serving import serving

SUB = "248289761001"
AT = "https://roster.example.org/v1/login/callback"


@dataclass
class Stage:
    """A gateway and its provider."""

    house: Any
    provider: IdentityProvider
    http: httpx.AsyncClient

    def visitor(self) -> "Visitor":
        return Visitor(self)


class Visitor:
    """A browser: it keeps each cookie, and goes where it is sent."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.cookies: dict[str, str] = {}

    async def get(self, path: str) -> httpx.Response:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = await self._stage.http.get(self._stage.house.url + path, headers={"Cookie": cookies} if cookies else {})
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            if value and "Max-Age=0" not in line:
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)
        self._stage.http.cookies.clear()
        return answer

    async def way_back(self, path: str = "/v1/login") -> str:
        """Go to the provider, log in there, and see where it sends us."""
        begun = await self.get(path)
        assert begun.status_code == 302, begun.text
        sent = await self._stage.http.get(begun.headers["location"])
        assert sent.status_code == 302, sent.text
        back = urlsplit(sent.headers["location"])
        assert f"{back.scheme}://{back.netloc}{back.path}" == AT
        return f"{back.path}?{back.query}"

    async def log_in(self, path: str = "/v1/login") -> httpx.Response:
        return await self.get(await self.way_back(path))

    async def who(self) -> str | None:
        answer = await self.get("/v1/session")
        return answer.json()["username"] if answer.status_code == 200 else None


@pytest_asyncio.fixture
async def provider() -> AsyncIterator[IdentityProvider]:
    found = IdentityProvider(person={"sub": SUB, "preferred_username": "editor", "email": "editor", "email_verified": True})
    async with serving(found, lifespan=False) as url:
        found.url = url
        yield found


@pytest.fixture
def at_provider(settings: Any, provider: IdentityProvider) -> Any:
    told = {"oidc_issuer": provider.url, "oidc_client_id": "roster", "oidc_redirect_uri": AT, "oidc_claim": "preferred_username"}
    return msgspec.structs.replace(settings, **told)


@pytest_asyncio.fixture
async def stage(at_provider: Any, provider: IdentityProvider, open_house: Any) -> AsyncIterator[Stage]:
    async with opened(at_provider, provider, open_house) as found:
        yield found


class opened:  # noqa: N801 - used like a function
    """A Stage as long as the block lasts."""

    def __init__(self, settings: Any, provider: IdentityProvider, open_house: Any) -> None:
        self._house, self._provider = open_house(settings), provider
        self._http = httpx.AsyncClient(trust_env=False, timeout=30)

    async def __aenter__(self) -> Stage:
        house = await self._house.__aenter__()
        self._provider.clock = house.clock
        return Stage(house, self._provider, self._http)

    async def __aexit__(self, *details: Any) -> None:
        await self._http.aclose()
        await self._house.__aexit__(*details)


@pytest.fixture
def open_stage(provider: IdentityProvider, open_house: Any) -> Callable[[Any], opened]:
    """To open one with other settings."""
    return lambda settings: opened(settings, provider, open_house)

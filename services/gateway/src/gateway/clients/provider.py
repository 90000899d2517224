"""The OpenID provider, as far as a log-in needs it: where it is asked (its discovery document), its keys, and the exchange of a code.

It is asked with a client of its own each time, as seldom as can be: documents are kept for an hour. No redirect is followed, no proxy of
the environment used, and no answer taken that is larger than `MOST_ANSWER`. How long all of it may take is the caller's to say.
"""

import asyncio
import ssl
import time
from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import quote_plus

import httpx
import msgspec
from msgspec import Meta

from gateway.addresses import is_safe
from gateway.errors import LogInRefused, ServiceUnavailable
from shared.errors import BadGateway

KEPT: Final = 3600.0
"""Seconds for which the discovery document and the keys are taken as they were."""

MOST_ANSWER: Final = 256 * 1024
DISCOVERY: Final = "/.well-known/openid-configuration"

Url = Annotated[str, Meta(min_length=1, max_length=2000)]
D = TypeVar("D")


class Discovery(msgspec.Struct, frozen=True):
    """What the provider says of itself (OpenID Connect Discovery 1.0, section 3)."""

    issuer: Url
    authorization_endpoint: Url
    token_endpoint: Url
    jwks_uri: Url
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class Jwk(msgspec.Struct, frozen=True):
    """A public key (RFC 7517) of a kind that signs ID tokens here."""

    kty: str
    kid: str | None = None
    use: str | None = None
    alg: str | None = None
    n: str | None = None
    e: str | None = None
    crv: str | None = None
    x: str | None = None
    y: str | None = None


class Jwks(msgspec.Struct, frozen=True):
    keys: list[Jwk]


class Tokens(msgspec.Struct, frozen=True):
    """The answer to a code; the access token is not used."""

    id_token: Annotated[str, Meta(max_length=16 * 1024)]


class Fault(msgspec.Struct, frozen=True):
    """Why a code was not exchanged (RFC 6749, section 5.2)."""

    error: str


class Provider:
    """One issuer, and the client that we are there. `secret` is empty for a client that has none (then PKCE alone protects the code)."""

    def __init__(self, issuer: str, client_id: str, secret: str) -> None:
        self.issuer, self.client_id, self._secret = issuer, client_id, secret
        self._trust: ssl.SSLContext | None = None
        self._known: dict[str, tuple[float, Any]] = {}
        self._asking = asyncio.Lock()

    async def discover(self) -> Discovery:
        """Where it is asked. Raises BadGateway, ServiceUnavailable."""
        url = self.issuer.rstrip("/") + DISCOVERY
        found = await self._document(url, Discovery)
        ours = (found.authorization_endpoint, found.token_endpoint, found.jwks_uri)
        if found.issuer == self.issuer and all(is_safe(one, self.issuer) for one in ours):
            return found
        self._known.pop(url, None)  # so that what is put right there is seen here
        if found.issuer != self.issuer:
            raise BadGateway("The OpenID provider says that it is another issuer.")
        raise BadGateway("The OpenID provider names an address that is not https.")

    async def keys(self, *, anew: bool = False) -> list[Jwk]:
        """Its keys; `anew` as they are now. Raises BadGateway, ServiceUnavailable."""
        found = await self._document((await self.discover()).jwks_uri, Jwks, anew=anew)
        return found.keys

    async def redeem(self, code: str, verifier: str, redirect_uri: str) -> str:
        """The ID token for a code (RFC 6749, section 4.1.3; RFC 7636). Raises LogInRefused, BadGateway, ServiceUnavailable."""
        found = await self.discover()
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri, "code_verifier": verifier}
        auth = None
        if self._secret and "client_secret_basic" in found.token_endpoint_auth_methods_supported:
            auth = httpx.BasicAuth(quote_plus(self.client_id), quote_plus(self._secret))
        else:
            form["client_id"] = self.client_id
            if self._secret:
                form["client_secret"] = self._secret
        status, body = await self._ask("POST", found.token_endpoint, form, auth)
        if status == 400 and _decode(200, body, Fault).error == "invalid_grant":
            raise LogInRefused("The OpenID provider does not take its code back: begin again at GET /v1/login.")
        return _decode(status, body, Tokens).id_token

    async def _document(self, url: str, kind: type[D], *, anew: bool = False) -> D:
        """A document of the provider's, kept for a while. Whoever finds it missing while another one asks waits for that."""
        async with self._asking:
            kept = self._known.get(url)
            if kept is None or anew or time.monotonic() - kept[0] >= KEPT:
                kept = self._known[url] = time.monotonic(), _decode(*await self._ask("GET", url), kind)
        found: D = kept[1]
        return found

    async def _ask(
        self, method: str, url: str, form: Mapping[str, str] | None = None, auth: httpx.BasicAuth | None = None
    ) -> tuple[int, bytes]:
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        try:
            async with (
                httpx.AsyncClient(verify=self._trusted(), trust_env=False, follow_redirects=False, timeout=None) as client,  # noqa: S113 - the caller's limit
                client.stream(method, url, data=form, headers=headers, auth=auth or httpx.USE_CLIENT_DEFAULT) as response,
            ):
                body = bytearray()
                async for piece in response.aiter_raw():
                    body += piece
                    if len(body) > MOST_ANSWER:
                        raise BadGateway("The OpenID provider's answer is too large.")
                return response.status_code, bytes(body)
        except (httpx.ProtocolError, httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise BadGateway("The OpenID provider's answer can't be read.") from error
        except (httpx.HTTPError, OSError) as error:
            raise _away() from error

    def _trusted(self) -> ssl.SSLContext:
        """Read once: it takes 20 ms."""
        if self._trust is None:
            self._trust = httpx.create_ssl_context()
        return self._trust


def _decode(status: int, body: bytes, kind: type[D]) -> D:
    if status == 429 or status >= 500:
        raise _away()
    if status != 200:
        raise BadGateway(f"The OpenID provider answers {status} where 200 is due.")
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadGateway("The OpenID provider's answer is not what it has to be.") from error


def _away() -> ServiceUnavailable:
    return ServiceUnavailable("The OpenID provider can't be asked at the moment.")

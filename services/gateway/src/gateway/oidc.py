"""Log-in by OpenID Connect: authorization code with PKCE (OpenID Connect Core 1.0, section 3.1; RFC 7636; RFC 9700).

What a log-in must remember until the provider sends the browser back is in a cookie of its own, signed as sessions are: whoever comes back
without it, with another one or too late has not begun here. What the provider says is taken for nothing before the ID token is verified.
"""

import asyncio
import binascii
import hashlib
import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import urlencode

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from itsdangerous import BadSignature, URLSafeSerializer
from joserfc import jwk, jws
from joserfc.errors import JoseError
from msgspec import Meta

from gateway.clients.provider import Jwk, Provider
from gateway.errors import ServiceUnavailable
from shared.errors import BadGateway, BadRequest, UpstreamTimeout

COOKIE: Final = "__Host-login"
LASTS: Final = 600
"""Seconds between the beginning of a log-in and its end."""

WITHIN: Final = 5.0
"""Seconds that the provider may take for its part of one request of ours, whatever it is asked for."""

UNDER_WAY: Final = 32
"""Requests that may wait for the provider at the same time."""

LEEWAY: Final = 30
"""Seconds by which the provider's clock may differ."""

ALGORITHMS: Final = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "EC": ("ES256", "ES384", "ES512"),
    "OKP": ("Ed25519",),
}
"""What may sign an ID token, by the kind of key: never a secret that both sides have, never nothing."""

USERNAME: Final = 128
"""Characters that a username has at most."""

LEAST_RSA: Final = 2048
AGAIN: Final = "begin again at GET /v1/login"


class Flow(msgspec.Struct, frozen=True):
    """A log-in under way; `at` is when it began (seconds since the epoch)."""

    state: str
    nonce: str
    verifier: str
    return_to: str
    at: int


class Header(msgspec.Struct, frozen=True):
    alg: str
    kid: str | None = None


class Claims(msgspec.Struct, frozen=True):
    """What an ID token says (OpenID Connect Core 1.0, sections 2 and 5.1); times in seconds since the epoch."""

    iss: str
    sub: Annotated[str, Meta(min_length=1, max_length=255, pattern="^[ -~]+$")]
    aud: str | list[str]
    exp: float
    iat: float
    nonce: str
    azp: str | None = None
    preferred_username: str | None = None
    email: str | None = None
    email_verified: bool | str = False  # some say it in words


@dataclass(frozen=True, slots=True)
class Person:
    """Who has logged in at the provider: `subject` is the issuer and its name for them, `username` what they may be called here, if
    anything.
    """

    subject: str
    username: str | None


class OpenId:
    """Log-in at one provider. `claim` is what finds an account of that username: preferred_username, email, or empty for nothing.

    `keys`: the first signs cookies, all verify. `clock` gives seconds since the epoch.
    """

    def __init__(
        self,
        provider: Provider,
        *,
        redirect_uri: str,
        claim: str,
        keys: Sequence[str],
        clock: Callable[[], float],
    ) -> None:
        self._provider, self._redirect_uri, self._claim, self._clock = provider, redirect_uri, claim, clock
        signer = {"key_derivation": "hmac", "digest_method": hashlib.sha512}
        self._cookies = URLSafeSerializer(list(reversed(keys)), salt="roster-login", signer_kwargs=signer)
        self._under_way = 0

    async def begin(self, return_to: str) -> tuple[str, str]:
        """Where the browser goes, and the cookie that it must come back with. Raises BadGateway, ServiceUnavailable, UpstreamTimeout."""
        async with self._asking():
            found = await self._provider.discover()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        flow = Flow(state, nonce, verifier, return_to, int(self._clock()))
        asked = {
            "response_type": "code",
            "client_id": self._provider.client_id,
            "redirect_uri": self._redirect_uri,
            "scope": " ".join(["openid", *{"preferred_username": ["profile"], "email": ["email"]}.get(self._claim, [])]),
            "state": state,
            "nonce": nonce,
            "code_challenge": urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        endpoint = found.authorization_endpoint.partition("#")[0]
        return endpoint + ("&" if "?" in endpoint else "?") + urlencode(asked), self._cookies.dumps(msgspec.to_builtins(flow))

    def resume(self, cookie: str | None, state: str | None, issuer: str | None) -> Flow:
        """The log-in that comes back, by its cookie, its state and, where it says so, the issuer (RFC 9207). Raises BadRequest."""
        try:
            flow = msgspec.convert(self._cookies.loads(cookie or ""), Flow)
        except (BadSignature, msgspec.ValidationError) as error:
            raise BadRequest(f"No log-in is under way in this browser: {AGAIN}.") from error
        if not 0 <= self._clock() - flow.at < LASTS:
            raise BadRequest(f"This log-in has taken too long: {AGAIN}.")
        if state is None or not hmac.compare_digest(state.encode(), flow.state.encode()):
            raise BadRequest.of("state", f"is of another log-in: {AGAIN}")
        if issuer not in (None, self._provider.issuer):
            raise BadRequest.of("iss", "is another provider")
        return flow

    async def finish(self, flow: Flow, code: str) -> Person:
        """Who has logged in. Raises LogInRefused, BadGateway, ServiceUnavailable, UpstreamTimeout."""
        async with self._asking():
            token = await self._provider.redeem(code, flow.verifier, self._redirect_uri)
            claims = await self._verify(token)
        self._check(claims, flow.nonce)
        return Person(f"{self._provider.issuer} {claims.sub}", self._username(claims))

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[None]:
        """While the provider is asked: not by too many, and not for long."""
        if self._under_way >= UNDER_WAY:
            raise ServiceUnavailable("Too many log-ins wait for the OpenID provider.")
        self._under_way += 1
        try:
            async with asyncio.timeout(WITHIN):
                yield
        except TimeoutError as error:
            raise UpstreamTimeout("The OpenID provider did not answer in time.") from error
        finally:
            self._under_way -= 1

    async def _verify(self, token: str) -> Claims:
        """What a token says that the provider has signed, by a key that it has now. Raises BadGateway."""
        try:
            head = token.partition(".")[0]
            header = msgspec.json.decode(urlsafe_b64decode(head + "=" * (-len(head) % 4)), type=Header)
        except (ValueError, binascii.Error, RecursionError) as error:
            raise _unusable() from error
        if not any(header.alg in names for names in ALGORITHMS.values()):
            raise _unusable("is signed in a way that is not taken")
        key = _key_of(await self._provider.keys(), header) or _key_of(await self._provider.keys(anew=True), header)
        if key is None:
            raise _unusable("is signed with a key that the provider does not have")
        try:
            known = jwk.import_key({name: value for name, value in msgspec.to_builtins(key).items() if value is not None})
            return msgspec.json.decode(jws.deserialize_compact(token, known, algorithms=[header.alg]).payload, type=Claims)
        except (JoseError, LookupError, ValueError, TypeError, RecursionError, UnsupportedAlgorithm) as error:
            raise _unusable() from error

    def _check(self, claims: Claims, nonce: str) -> None:
        """OpenID Connect Core 1.0, section 3.1.3.7. Raises BadGateway."""
        client, now = self._provider.client_id, self._clock()
        audience = [claims.aud] if isinstance(claims.aud, str) else claims.aud
        if claims.iss != self._provider.issuer:
            raise _unusable("is of another issuer")
        if client not in audience or claims.azp not in (None, client) or (len(audience) > 1 and claims.azp is None):
            raise _unusable("is for another client")
        if not now - LEEWAY < claims.exp:
            raise _unusable("has expired")
        if not claims.iat < now + LEEWAY:
            raise _unusable("is of a later time")
        if not hmac.compare_digest(claims.nonce.encode(), nonce.encode()):
            raise _unusable("is of another log-in")

    def _username(self, claims: Claims) -> str | None:
        """What finds an account by its username; None for what is no username."""
        said = {"email": claims.email, "preferred_username": claims.preferred_username}.get(self._claim)
        if self._claim == "email" and claims.email_verified not in (True, "true"):
            return None
        return said if said and len(said) <= USERNAME and said.isprintable() else None


def _key_of(keys: Sequence[Jwk], header: Header) -> Jwk | None:
    """The key that may have signed; without a `kid` only where there is but one of its kind."""
    fits = [
        key
        for key in keys
        if header.alg in ALGORITHMS.get(key.kty, ())
        and key.use in (None, "sig")
        and key.alg in (None, header.alg)
        and (key.kty != "RSA" or len(key.n or "") * 6 >= LEAST_RSA)
        and header.kid in (None, key.kid)
    ]
    return fits[0] if fits and (header.kid is not None or len(fits) == 1) else None


def _unusable(why: str = "can't be read or is not signed by it") -> BadGateway:
    return BadGateway(f"The OpenID provider's token {why}.")

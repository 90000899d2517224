"""A small OpenID provider for tests: everybody who comes is logged in as `person`, and it lies where it is told to.

It keeps to OpenID Connect Core 1.0 for the authorization code with PKCE, and refuses what a provider has to refuse: a code that comes
twice, another verifier, another place to come back to, another client.
"""

import hashlib
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlencode

import msgspec
from joserfc import jwt
from joserfc.jwk import ECKey

Reply = tuple[int, dict[str, str], bytes]


@dataclass
class IdentityProvider:
    """An ASGI app, to be served; `url` is its issuer from then on. `clock` gives seconds since the epoch.

    Lies: `says` are claims in place of the true ones (None: left out), `signs` makes the token from the claims, `answers` are whole
    answers by path, `silent` the paths that are never answered.
    """

    client_id: str = "roster"
    secret: str = ""
    clock: Callable[[], float] = time.time
    adds: str = ""
    """What else the browser brings back, as `&name=value`."""
    url: str = ""
    person: dict[str, Any] = field(default_factory=lambda: {"sub": "248289761001"})
    says: dict[str, Any] = field(default_factory=dict)
    discovery: dict[str, Any] = field(default_factory=dict)
    signs: Callable[[dict[str, Any]], str] | None = None
    answers: dict[str, Reply] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    key: ECKey = field(default_factory=lambda: new_key("first"))
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path, body = scope["path"], b""
        while (message := await receive()).get("more_body"):
            body += message["body"]
        body += message.get("body", b"")
        self.asked.append(path)
        if path in self.silent:
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        status, given, content = self.answers.get(path) or self._answer(path, _fields(scope["query_string"]), _fields(body), headers)
        raw = [(name.encode(), value.encode()) for name, value in {"content-length": str(len(content)), **given}.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": content})

    def _answer(self, path: str, query: dict[str, str], form: dict[str, str], headers: Mapping[str, str]) -> Reply:
        match path:
            case "/.well-known/openid-configuration":
                return as_json(self._discovery())
            case "/keys":
                return as_json({"keys": [self.key.as_dict(private=False)]})
            case "/authorize":
                return self._authorize(query)
            case "/token":
                return self._token(form, headers)
        return as_json({"error": "not_found"}, 404)

    def _discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            **self.discovery,
        }

    def _authorize(self, query: dict[str, str]) -> Reply:
        wanted = {"response_type": "code", "client_id": self.client_id, "code_challenge_method": "S256"}
        if any(query.get(name) != value for name, value in wanted.items()) or "openid" not in query.get("scope", "").split():
            return as_json({"error": "invalid_request"}, 400)
        code = f"code-{len(self._codes)}"
        self._codes[code] = query
        says = urlencode({"code": code, "state": query["state"], "iss": self.url})
        return 302, {"location": f"{query['redirect_uri']}?{says}{self.adds}"}, b""

    def _token(self, form: dict[str, str], headers: Mapping[str, str]) -> Reply:
        asked = self._codes.pop(form.get("code", ""), None)
        if (form.get("client_id"), form.get("client_secret", "")) != (self.client_id, self.secret) and not self._knows(headers):
            return as_json({"error": "invalid_client"}, 401)
        challenge = urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=").decode()
        if asked is None or (asked["code_challenge"], asked["redirect_uri"]) != (challenge, form.get("redirect_uri")):
            return as_json({"error": "invalid_grant"}, 400)
        now = int(self.clock())
        true = {"iss": self.url, "aud": self.client_id, "iat": now, "exp": now + 300, "nonce": asked["nonce"], **self.person}
        claims = {name: value for name, value in {**true, **self.says}.items() if value is not None}
        token = self.signs(claims) if self.signs else self.sign(claims)
        return as_json({"id_token": token, "access_token": "not used", "token_type": "Bearer", "expires_in": 300})

    def sign(self, claims: dict[str, Any]) -> str:
        """An honest token."""
        return jwt.encode({"alg": "ES256", "kid": self.key.kid}, claims, self.key, algorithms=["ES256"])

    def _knows(self, headers: Mapping[str, str]) -> bool:
        """Whether HTTP Basic says that it is the client, with its secret (RFC 6749, section 2.3.1)."""
        kind, _, value = headers.get("authorization", "").partition(" ")
        given = b64decode(value).decode() if kind.lower() == "basic" else ""
        name, _, word = given.partition(":")
        return bool(self.secret) and (unquote_plus(name), unquote_plus(word)) == (self.client_id, self.secret)


def new_key(kid: str) -> ECKey:
    """A key to sign with."""
    return ECKey.generate_key("P-256", {"kid": kid})


def as_json(value: Any, status: int = 200) -> Reply:
    """An answer of the provider."""
    return status, {"content-type": "application/json"}, msgspec.json.encode(value)


def _fields(text: bytes) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(text.decode()).items()}

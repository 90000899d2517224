"""Providers that do not keep to the rules, and clients that they have never heard of."""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from gateway.clients.provider import MOST_ANSWER
from gateway.oidc import LEEWAY
from shared.testing.provider import IdentityProvider, as_json, new_key


def signed_as(alg: str, secret: bytes) -> Callable[[dict[str, Any]], str]:
    """Tokens that name another algorithm; HS256 with what everybody knows as its secret."""

    def sign(claims: dict[str, Any]) -> str:
        parts = [urlsafe_b64encode(msgspec.json.encode(part)).rstrip(b"=") for part in ({"alg": alg, "kid": "first"}, claims)]
        text = b".".join(parts)
        mark = b"" if alg == "none" else urlsafe_b64encode(hmac.digest(secret, text, hashlib.sha256)).rstrip(b"=")
        return (text + b"." + mark).decode()

    return sign


def signed_by(key: ECKey) -> Callable[[dict[str, Any]], str]:
    return lambda claims: jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key, algorithms=["ES256"])


LIES: dict[str, Callable[[IdentityProvider], Any]] = {
    "no algorithm": lambda it: setattr(it, "signs", signed_as("none", b"")),
    "a secret for a key": lambda it: setattr(it, "signs", signed_as("HS256", it.key.as_pem(private=False))),
    "a key of its own making": lambda it: setattr(it, "signs", signed_by(new_key("first"))),
    "a key that nobody has": lambda it: setattr(it, "signs", signed_by(new_key("other"))),
    "no token": lambda it: setattr(it, "signs", lambda claims: "a.b.c"),
    "a token of no text": lambda it: setattr(it, "signs", lambda claims: "\x00é"),
    "a token that is too long": lambda it: setattr(it, "signs", lambda claims: it.sign({**claims, "more": "x" * 20_000})),
    "another issuer": lambda it: it.says.update(iss="https://other.example"),
    "another audience": lambda it: it.says.update(aud="other"),
    "no audience": lambda it: it.says.update(aud=[]),
    "several audiences and no party": lambda it: it.says.update(aud=["roster", "other"]),
    "another party": lambda it: it.says.update(aud=["roster", "other"], azp="other"),
    "expired": lambda it: it.says.update(exp=int(it.clock()) - LEEWAY),
    "no end": lambda it: it.says.update(exp=None),
    "of tomorrow": lambda it: it.says.update(iat=int(it.clock()) + 86_400),
    "another nonce": lambda it: it.says.update(nonce="another"),
    "no nonce": lambda it: it.says.update(nonce=None),
    "nobody": lambda it: it.says.update(sub=None),
    "a name of control characters": lambda it: it.says.update(sub="a\nb"),
    "no JSON": lambda it: it.answers.update({"/token": (200, {}, b"<html>")}),
    "a list": lambda it: it.answers.update({"/token": (200, {}, b"[]")}),
    "bytes": lambda it: it.answers.update({"/token": (200, {}, b"\xff\xfe")}),
    "depth": lambda it: it.answers.update({"/token": (200, {}, b"[" * 100_000)}),
    "a flood": lambda it: it.answers.update({"/token": (200, {}, b" " * (MOST_ANSWER + 1))}),
    "a redirect": lambda it: it.answers.update({"/token": (307, {"location": f"{it.url}/elsewhere"}, b"")}),
    "keys that are none": lambda it: it.answers.update({"/keys": as_json({"keys": [{"kty": "EC", "kid": "first", "crv": "P-256"}]})}),
    "a point off the curve": lambda it: it.answers.update(
        {"/keys": as_json({"keys": [{"kty": "EC", "kid": "first", "crv": "P-256", "x": "AA", "y": "AA"}]})}
    ),
    "a curve that nobody knows": lambda it: it.answers.update(
        {"/keys": as_json({"keys": [{"kty": "EC", "kid": "first", "crv": "P-1", "x": "AA", "y": "AA"}]})}
    ),
    "no keys": lambda it: it.answers.update({"/keys": as_json({"keys": []})}),
    "keys without a list": lambda it: it.answers.update({"/keys": as_json({"keys": 7})}),
    "a client that it does not know": lambda it: it.answers.update({"/token": as_json({"error": "invalid_client"}, 401)}),
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_lie_lets_nobody_in(stage: Any, lie: str) -> None:
    visitor = stage.visitor()
    back = await visitor.way_back()
    LIES[lie](stage.provider)
    answer = await visitor.get(back)
    assert answer.status_code == 502, answer.text
    assert answer.json()["type"] == "urn:roster:problem:bad-gateway"
    assert "__Host-session" not in visitor.cookies
    assert "/elsewhere" not in stage.provider.asked


@pytest.mark.parametrize(
    "lie",
    [
        {"issuer": "https://other.example"},
        {"authorization_endpoint": "http://roster.example.org/authorize"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"token_endpoint": "ftp://127.0.0.1/token"},
        {"jwks_uri": "https://"},
        {"jwks_uri": 7},
    ],
)
async def test_a_provider_that_lies_of_itself_is_gone_to_by_nobody(stage: Any, lie: dict[str, Any]) -> None:
    stage.provider.discovery = lie
    answer = await stage.visitor().get("/v1/login")
    assert answer.status_code == 502
    assert "set-cookie" not in answer.headers
    stage.provider.discovery = {}
    assert (await stage.visitor().get("/v1/login")).status_code == 302  # nothing of it is kept


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/token", "/keys"])
@pytest.mark.parametrize("status", [503, 504])
async def test_a_provider_that_is_broken_is_503_and_one_that_is_silent_504(stage: Any, path: str, status: int) -> None:
    visitor = stage.visitor()
    asked = "/v1/login" if path.startswith("/.") else await visitor.way_back()
    if status == 503:
        stage.provider.answers = {path: (500, {}, b"")}
    else:
        stage.provider.silent = {path}
    answer = await visitor.get(asked)
    assert answer.status_code == status, answer.text
    assert "__Host-session" not in visitor.cookies
    stage.provider.answers.clear()
    stage.provider.silent.clear()
    assert (await stage.visitor().log_in()).status_code == 302  # nothing of it is kept


async def test_a_provider_that_is_not_there(at_provider: Any, open_house: Any) -> None:
    async with open_house(msgspec.structs.replace(at_provider, oidc_issuer="http://127.0.0.1:1")) as house:
        answer = await house.browser().get("/v1/login")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


async def test_a_key_that_is_new_is_asked_for_once(stage: Any) -> None:
    await stage.visitor().log_in()
    stage.provider.key = new_key("second")
    stage.provider.asked.clear()
    assert (await stage.visitor().log_in()).status_code == 302
    assert stage.provider.asked.count("/keys") == 1


async def test_a_secret_goes_by_basic_or_in_the_form(at_provider: Any, provider: IdentityProvider, open_stage: Any) -> None:
    provider.secret = "s:e c+r%et/ü"
    for methods in (["client_secret_basic"], ["client_secret_post"]):
        provider.discovery = {"token_endpoint_auth_methods_supported": methods}
        async with open_stage(msgspec.structs.replace(at_provider, oidc_client_secret=provider.secret)) as stage:
            assert (await stage.visitor().log_in()).status_code == 302
    async with open_stage(msgspec.structs.replace(at_provider, oidc_client_secret="another")) as stage:
        assert (await stage.visitor().log_in()).status_code == 502

"""Forged assertions on the wire, straight at the services: 401 to each, whatever they are, and never a 500."""

import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import OctKey, OKPKey

from shared.identity import TYPE, generate_key
from tests.security.conftest import Running

pytestmark = pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")  # forging takes what joserfc warns of
WHERE = {"employees": "/v1/employees", "teams": "/v1/teams"}
ALGORITHMS = ["Ed25519", "HS256", "none"]


def forged(key: Any, service: str, header: dict[str, Any], **claims: Any) -> str:
    """An assertion of an admin, signed by a key, with these things changed."""
    now = int(time.time())
    facts = {"iss": "gateway", "sub": "account:1", "aud": service, "role": "admin", "iat": now, "exp": now + 60, **claims}
    heads = {"alg": "Ed25519", "kid": "gateway", "typ": TYPE, **header}
    return jws.serialize_compact(heads, json.dumps(facts).encode(), key, algorithms=ALGORITHMS)


def table(private: str, service: str) -> Iterator[tuple[str, str]]:
    """What it is, and the Authorization header."""
    ours = OKPKey.import_key(json.loads(private))
    public = ours.as_dict(private=False)
    theirs = OKPKey.import_key(json.loads(generate_key("gateway")[0]))
    good = forged(ours, service, {})
    now = int(time.time())
    made = {
        "alg none": forged(ours, service, {"alg": "none"}),
        "HS256 with the public key": forged(OctKey.import_key(str(public["x"]) * 2), service, {"alg": "HS256"}),
        "HS256 with the public key as JSON": forged(OctKey.import_key(json.dumps(public)), service, {"alg": "HS256"}),
        "another service's": forged(ours, "gateway", {}),
        "several services'": forged(ours, service, {}, aud=[service, "gateway"]),
        "expired": forged(ours, service, {}, iat=now - 120, exp=now - 60),
        "of the future": forged(ours, service, {}, iat=now + 60, exp=now + 120),
        "for a year": forged(ours, service, {}, exp=now + 31_536_000),
        "a kid that is none": forged(ours, service, {"kid": "gateway-2"}),
        "another key": forged(theirs, service, {}),
        "another key, embedded": forged(theirs, service, {"jwk": theirs.as_dict(private=False)}),
        "another key, by address": forged(theirs, service, {"jku": "http://127.0.0.1:1/keys", "x5u": "http://127.0.0.1:1/x"}),
        "of another type": forged(ours, service, {"typ": "JWT"}),
        "truncated": good[:-8],
        "without a signature": good.rpartition(".")[0] + ".",
        "64 KB": "x" * 60_000 + good,
        "64 KB of claims": forged(ours, service, {}, name="x" * 45_000),
        "nested": urlsafe_b64encode(b"[" * 2_000).decode() + "." + good.partition(".")[2],
        "nothing": "-",
        "bytes": "\xff\xfe.\xff.\xff",
    }
    yield from ((about, f"Bearer {token}") for about, token in made.items())
    yield from (("twice", f"Bearer {good}, Bearer {good}"), ("as Basic", f"Basic {good}"), ("bare", good))


@pytest.mark.parametrize("service", WHERE)
def test_none_of_them_is_believed(running: Running, service: str) -> None:
    private, url = running.roster.gateway.env["GATEWAY_SIGNING_KEY"], running.urls[service] + WHERE[service]
    statuses = {}
    for about, authorization in table(private, service):
        answer = running.http.get(url, headers={b"Authorization": authorization.encode("latin-1")})
        statuses[about] = answer.status_code
        assert answer.headers["content-type"] == "application/problem+json"
    assert {about: status for about, status in statuses.items() if status != 401} == {}
    good = forged(OKPKey.import_key(json.loads(private)), service, {})
    assert running.http.get(url, headers={"Authorization": f"Bearer {good}"}).status_code == 200

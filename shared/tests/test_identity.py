"""Assertions: who is believed, and for how long."""

import json
import time
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import OctKey, OKPKey, RSAKey

from shared.errors import Unauthorized
from shared.identity import MAX_KEPT, TYPE, Caller, KeyFault, Minter, Trust, Verifier, generate_key, read_private_key, read_public_keys

pytestmark = pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")  # forging takes what joserfc warns of
NOW = 1_800_000_000
PRIVATE, PUBLIC = generate_key("gateway-1")
STRANGE, STRANGE_PUBLIC = generate_key("strange-1")
CALLER = Caller("account:7", "Ada", "editor", "gateway")
KEY = OKPKey.import_key(json.loads(PRIVATE))


class Clock:
    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


def verifier(clock: Clock | None = None, *trusts: Trust) -> Verifier:
    return Verifier("notes", trusts or (Trust("gateway", PUBLIC),), clock or Clock())


def token(header: dict[str, Any] | None = None, key: Any = KEY, **claims: Any) -> str:
    """An assertion with some things changed; None leaves a claim or a header out."""
    heads = {"alg": "Ed25519", "kid": "gateway-1", "typ": TYPE} | (header or {})
    facts = {"iss": "gateway", "sub": "account:7", "aud": "notes", "role": "editor", "iat": NOW, "exp": NOW + 60} | claims
    payload = json.dumps({name: value for name, value in facts.items() if value is not None}).encode()
    present = {name: value for name, value in heads.items() if value is not None}
    return jws.serialize_compact(present, payload, key, algorithms=["Ed25519", "EdDSA", "HS256", "RS256", "none"])


def test_what_is_minted_is_believed() -> None:
    clock = Clock()
    assert verifier(clock).verify(Minter("gateway", PRIVATE, clock).mint(CALLER, "notes")) == CALLER


def test_an_assertion_is_reused_until_near_its_end() -> None:
    clock = Clock()
    minter = Minter("gateway", PRIVATE, clock)
    first = minter.mint(CALLER, "notes")
    clock.now += 44
    assert minter.mint(CALLER, "notes") == first
    assert minter.mint(CALLER, "other") != first
    clock.now += 2
    assert minter.mint(CALLER, "notes") != first


@pytest.mark.parametrize("seconds", [0, 30, 64.9])
def test_it_lasts_a_minute_and_the_leeway(seconds: float) -> None:
    clock = Clock()
    checked = verifier(clock)
    made = token()
    checked.verify(made)
    clock.now += seconds
    assert checked.verify(made) == verifier(clock).verify(made)


def test_what_was_kept_ends_too() -> None:
    clock = Clock()
    checked = verifier(clock)
    made = token()
    checked.verify(made)
    clock.now += 65
    with pytest.raises(Unauthorized):
        checked.verify(made)


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "stranger"},
        {"aud": "elsewhere"},
        {"aud": ["notes"]},
        {"aud": None},
        {"sub": ""},
        {"sub": None},
        {"role": "root"},
        {"role": None},
        {"exp": NOW + 61},
        {"exp": NOW - 5, "iat": NOW - 60},
        {"exp": None},
        {"exp": "soon"},
        {"exp": float(NOW + 1) + 0.5},
        {"iat": NOW + 6, "exp": NOW + 60},
        {"iat": None},
    ],
)
def test_what_it_says_must_hold(claims: dict[str, Any]) -> None:
    with pytest.raises(Unauthorized):
        verifier().verify(token(**claims))


@pytest.mark.parametrize(
    "header",
    [{"typ": "JWT"}, {"typ": None}, {"kid": "gateway-2"}, {"kid": None}, {"kid": "../../etc/passwd"}, {"alg": "EdDSA"}],
)
def test_its_header_must_be_ours(header: dict[str, Any]) -> None:
    with pytest.raises(Unauthorized):
        verifier().verify(token(header))


def test_no_other_key_or_algorithm_is_believed() -> None:
    stranger = OKPKey.import_key(json.loads(STRANGE))
    public = KEY.as_dict(private=False)["x"]
    forged = [
        token(key=stranger),
        token({"jwk": stranger.as_dict(private=False)}, key=stranger),
        token({"jku": "https://example.org/keys", "x5u": "https://example.org/x"}, key=stranger),
        token({"alg": "HS256"}, key=OctKey.import_key(str(public) * 2)),
        token({"alg": "RS256"}, key=RSAKey.generate_key(2048)),
        token({"alg": "none"}, key=KEY),
    ]
    for made in forged:
        with pytest.raises(Unauthorized):
            verifier().verify(made)


def test_keys_in_the_header_are_not_looked_at() -> None:
    assert verifier().verify(token({"jwk": json.loads(STRANGE_PUBLIC)["keys"][0]})).subject == "account:7"


@pytest.mark.parametrize(
    "broken", ["", ".", "..", "a.b.c", "é.b.c", "x" * 65_536, token()[:-4], token()[:40], token() + "x", token().replace(".", "..")]
)
def test_what_is_no_assertion_is_refused(broken: str) -> None:
    with pytest.raises(Unauthorized):
        verifier().verify(broken)


def test_an_issuer_speaks_for_no_more_than_its_limit() -> None:
    private, public = generate_key("teams-1")
    both = verifier(None, Trust("gateway", PUBLIC), Trust("teams", public, limit="feed"))
    made = Minter("teams", private, Clock()).mint(Caller("service:teams", "teams", "admin", "teams"), "notes")
    assert both.verify(made).role == "feed"
    impostor = Minter("gateway", private, Clock()).mint(CALLER, "notes")
    with pytest.raises(Unauthorized):
        both.verify(impostor)


def test_what_is_kept_is_bounded() -> None:
    checked = verifier()
    made = token()
    caller = checked.verify(made)
    for number in range(MAX_KEPT + 10):
        checked._kept.setdefault(f"t{number}", (caller, NOW + 65))
        if len(checked._kept) >= MAX_KEPT:
            break
    checked.verify(token(sub="account:8"))
    assert len(checked._kept) <= MAX_KEPT // 2 + 1


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", '{"keys": []}', '{"keys": [{"kty": "oct", "k": "AAAA", "kid": "a"}]}', "nonsense", '{"keys": [1]}', '{"keys": 1}'],
)
def test_keys_that_cannot_be_used_are_refused(text: str) -> None:
    with pytest.raises(KeyFault):
        read_public_keys(text)


def test_a_public_key_signs_nothing() -> None:
    with pytest.raises(KeyFault):
        read_private_key(json.dumps(json.loads(PUBLIC)["keys"][0]))


def test_two_issuers_share_no_kid() -> None:
    with pytest.raises(KeyFault, match="kid"):
        Verifier("notes", (Trust("gateway", PUBLIC), Trust("teams", PUBLIC)), time.time)


def test_a_header_nested_without_end_is_refused_like_any_other() -> None:
    head = urlsafe_b64encode(b'{"x":' + b"[" * 2_900).decode()
    with pytest.raises(Unauthorized):
        verifier().verify(f"{head}.e.e")


def test_a_key_is_called_by_its_thumbprint() -> None:
    """RFC 7638; the key and its thumbprint are those of RFC 8037, appendix A."""
    known: dict[str, str | list[str]] = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    assert OKPKey.import_key(known).thumbprint() == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    private, public = generate_key()
    key = read_private_key(private)
    assert key.kid == key.thumbprint()
    assert set(read_public_keys(public)) == {key.kid}


def test_two_keys_of_one_kid_are_refused() -> None:
    """One of them would have no say, and nobody would know which."""
    first, second = (json.loads(generate_key("gateway-1")[1])["keys"] for _ in range(2))
    with pytest.raises(KeyFault, match="same kid"):
        read_public_keys(json.dumps({"keys": first + second}))

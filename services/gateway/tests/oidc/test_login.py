"""Logging in by OpenID Connect, at a provider that keeps to the rules."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from gateway import config
from gateway.addresses import is_safe
from gateway.oidc import LASTS
from shared.config import SettingsError


async def test_a_log_in_begins_an_ordinary_session(stage: Any) -> None:
    visitor = stage.visitor()
    done = await visitor.log_in("/v1/login?return_to=/docs%3Fa=b")
    assert (done.status_code, done.headers["location"], done.content) == (302, "/docs?a=b", b"")
    assert set(visitor.cookies) == {"__Host-session"}
    assert await visitor.who() == "editor"
    assert stage.provider.asked == ["/.well-known/openid-configuration", "/authorize", "/token", "/keys"]
    assert (await stage.visitor().log_in()).headers["location"] == "/"  # and is known from then on
    assert stage.provider.asked[4:] == ["/authorize", "/token"]


async def test_both_cookies_are_for_this_host_over_tls_alone(stage: Any) -> None:
    begun = await stage.visitor().get("/v1/login")
    name, *attributes = begun.headers["set-cookie"].split("; ")
    assert name.startswith("__Host-login=")
    assert {one for one in attributes if not one.startswith("Expires=")} == {
        "Secure",
        "HttpOnly",
        "Path=/",
        "SameSite=Lax",
        f"Max-Age={LASTS}",
    }
    asked = parse_qs(urlsplit(begun.headers["location"]).query)
    assert (asked["code_challenge_method"], asked["response_type"]) == (["S256"], ["code"])
    assert len({asked[name][0] for name in ("state", "nonce", "code_challenge")}) == 3


async def test_what_else_the_provider_says_is_passed_over(stage: Any) -> None:
    """RFC 6749, section 4.1.2: unrecognized response parameters must be ignored."""
    stage.provider.adds = "&session_state=1&hd=example.org&x-of-ours=%C3%A4&x-of-ours=twice&empty"
    visitor = stage.visitor()
    assert (await visitor.log_in()).status_code == 302
    assert await visitor.who() == "editor"
    assert (await stage.visitor().get("/v1/login?colour=red")).status_code == 400, "what asks us is read as strictly as ever"


async def test_who_was_there_before_is_logged_out(stage: Any) -> None:
    visitor = stage.visitor()
    await visitor.log_in()
    before = visitor.cookies["__Host-session"]
    await visitor.log_in()
    assert visitor.cookies["__Host-session"] != before
    visitor.cookies["__Host-session"] = before
    assert await visitor.who() is None


@pytest.mark.parametrize(
    "target",
    ["//evil.example", "/\\evil.example", "https://evil.example", "evil", "", "/%0a", "/%0d%0aSet-Cookie:a=b", "/a%20b", "/%5cevil", "/ä"],
)
async def test_nobody_is_sent_to_another_site(stage: Any, target: str) -> None:
    answer = await stage.visitor().get(f"/v1/login?return_to={target}")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "return_to"


async def test_not_set_up(house: Any, open_house: Any) -> None:
    browser = house.browser()
    for path in ("/v1/login", "/v1/login/callback?code=a&state=b"):
        answer = await browser.get(path)
        assert answer.status_code == 404
        assert "not set up" in answer.json()["detail"]


async def test_a_way_back_is_gone_once(stage: Any) -> None:
    visitor = stage.visitor()
    back = await visitor.way_back()
    cookie = visitor.cookies["__Host-login"]
    assert (await visitor.get(back)).status_code == 302
    assert (await visitor.get(back)).status_code == 400  # the cookie is gone
    other = stage.visitor()
    other.cookies["__Host-login"] = cookie
    assert (await other.get(back)).json()["type"] == "urn:roster:problem:wrong-credentials"  # and the code is spent
    assert await other.who() is None


async def test_a_way_back_belongs_to_the_browser_that_began(stage: Any) -> None:
    """Else somebody could log another one in to their own account (RFC 9700, section 4.7)."""
    mine, theirs = stage.visitor(), stage.visitor()
    back = await mine.way_back()
    assert (await theirs.get(back)).status_code == 400
    await theirs.way_back()
    answer = await theirs.get(back)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "state"
    theirs.cookies["__Host-login"] = mine.cookies["__Host-login"][:-3] + "abc"
    assert (await theirs.get(back)).status_code == 400
    for cookie in ("a", "a.b", "%00", mine.cookies["__Host-login"] * 100):
        theirs.cookies["__Host-login"] = cookie
        assert (await theirs.get(back)).status_code == 400
    assert await theirs.who() is None


async def test_a_log_in_ends_after_ten_minutes(stage: Any) -> None:
    visitor = stage.visitor()
    back = await visitor.way_back()
    stage.house.clock.now += LASTS
    answer = await visitor.get(back)
    assert (answer.status_code, await visitor.who()) == (400, None)
    assert "too long" in answer.json()["detail"]


async def test_what_the_provider_refuses_is_told(stage: Any) -> None:
    visitor = stage.visitor()
    state = parse_qs(urlsplit(await visitor.way_back()).query)["state"][0]
    answer = await visitor.get(f"/v1/login/callback?state={state}&error=access_denied&error_description=%3Cb%3Eno")
    assert (answer.status_code, answer.json()["type"]) == (401, "urn:roster:problem:wrong-credentials")
    assert "<b>" not in answer.text
    assert (await visitor.get(f"/v1/login/callback?state={state}")).json()["errors"][0]["field"] == "code"
    assert (await visitor.get(f"/v1/login/callback?state={state}&code=a&iss=https://other.example")).json()["errors"][0]["field"] == "iss"


async def test_it_counts_as_a_log_in(at_provider: Any, open_stage: Any) -> None:
    async with open_stage(msgspec.structs.replace(at_provider, log_in_limit_address=3)) as stage:
        assert [(await stage.visitor().log_in()).status_code for _ in range(4)] == [302, 302, 302, 429]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"oidc_issuer": ""}, "OIDC_ISSUER"),
        ({"oidc_issuer": "http://id.example.org"}, "OIDC_ISSUER"),
        ({"oidc_issuer": "https://id.example.org?a=b"}, "OIDC_ISSUER"),
        ({"oidc_client_id": ""}, "OIDC_CLIENT_ID"),
        ({"oidc_redirect_uri": ""}, "OIDC_REDIRECT_URI"),
        ({"oidc_redirect_uri": "https://roster.example.org/"}, "OIDC_REDIRECT_URI"),
        ({"oidc_redirect_uri": "http://roster.example.org/v1/login/callback"}, "OIDC_REDIRECT_URI"),
    ],
)
def test_a_wrong_setting_is_named_at_start(at_provider: Any, change: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        config.check(msgspec.structs.replace(at_provider, **change))


@pytest.mark.parametrize(
    ("url", "issuer", "safe"),
    [
        ("https://id.example.org/x", "https://id.example.org", True),
        ("http://127.0.0.1:80/x", "https://id.example.org", False),
        ("http://127.0.0.1:80/x", "http://localhost:1", True),
        ("http://127.0.0.1.evil.example/", "http://localhost:1", False),
        ("https://user@id.example.org/", "https://id.example.org", False),
        ("https://id.example.org:x/", "https://id.example.org", False),
        ("https://id.example.org/\n", "https://id.example.org", False),
    ],
)
def test_where_a_provider_may_be(url: str, issuer: str, safe: bool) -> None:
    assert is_safe(url, issuer) is safe

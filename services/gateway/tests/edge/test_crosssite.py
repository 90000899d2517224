"""Who may make a browser write here."""

from typing import Any

import pytest

from gateway.edge.crosssite import same_site

HOST = b"roster.example"
OURS = (b"https://admin.example",)
UNSAFE = ("POST", "PUT", "PATCH", "DELETE", "TRACE", "ANYTHING")
SITES = (None, b"same-origin", b"none", b"same-site", b"cross-site", b"", b"Same-Origin")
ORIGINS = {
    None: True,
    b"http://roster.example": True,
    b"https://roster.example": True,
    b"https://ROSTER.example": True,
    b"https://admin.example": True,
    b"https://admin.example:8443": False,
    b"https://roster.example:8443": False,
    b"https://roster.example.evil": False,
    b"https://evil-roster.example": False,
    b"roster.example": False,
    b"null": False,
    b"": False,
}


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("method", UNSAFE)
def test_unsafe_methods_need_our_own_page_or_no_browser(method: str, origin: bytes | None, site: bytes | None) -> None:
    headers = {b"host": HOST}
    if origin is not None:
        headers[b"origin"] = origin
    if site is not None:
        headers[b"sec-fetch-site"] = site
    expected = ORIGINS[origin] if site is None else site in (b"same-origin", b"none") or origin in OURS
    assert same_site(method, headers, OURS) is expected


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_safe_methods_may_come_from_anywhere(method: str) -> None:
    assert same_site(method, {b"host": HOST, b"sec-fetch-site": b"cross-site", b"origin": b"null"}, OURS)


def test_without_a_host_no_origin_is_ours() -> None:
    assert not same_site("POST", {b"origin": b"https://"}, ())


async def test_another_sites_page_is_refused_on_both_ways_through(house: Any, editor: Any) -> None:
    requests = [("POST", "/v1/session"), ("DELETE", "/v1/session"), ("POST", "/v1/employees"), ("PUT", "/v1/teams/1/members/2")]
    for method, path in [*requests, ("DELETE", "/v1/teams/1")]:
        for body_type in ("application/json", "text/plain", "application/x-www-form-urlencoded"):
            headers = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example", "Content-Type": body_type}
            answer = await editor(method, path, headers=headers, content=b"{}")
            assert answer.status_code == 403, (method, path, body_type)
            assert answer.json()["type"].endswith(":cross-site")
            assert "access-control-allow-origin" not in answer.headers
    assert house.employees.seen == house.teams.seen == []

"""Who may make a browser write here."""

from typing import Any

import pytest

from gateway.edge.crosssite import SAFE_METHODS, same_site

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


BODIES = ("application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", None)


@pytest.mark.parametrize("path", ["/v1/employees/7", "/v1/accounts", "/v1/teams/1/members/2"])
async def test_another_sites_page_is_refused_on_both_ways_through(house: Any, editor: Any, path: str) -> None:
    """Each method of a path, whoever the browser says that asks, and whatever the body is said to be."""
    origins = {None: True, house.url: True, "https://evil.example": False, f"{house.url}.evil": False, "null": False}
    for method in (await editor("OPTIONS", path)).headers["allow"].split(", "):
        for site in (None, "same-origin", "none", "same-site", "cross-site"):
            for origin, is_ours in origins.items():
                for body_type in BODIES:
                    said = {"Sec-Fetch-Site": site, "Origin": origin, "Content-Type": body_type}
                    headers = {name: value for name, value in said.items() if value is not None}
                    answer = await editor(method, path, headers=headers, content=b"{}")
                    refused = not (method in SAFE_METHODS or site in ("same-origin", "none") or (site is None and is_ours))
                    assert answer.headers.get("content-type", "").startswith("application/problem+json") or not refused
                    assert refused == (answer.status_code == 403 and "another site" in answer.text), (method, headers)
                    assert "access-control-allow-origin" not in answer.headers
    asked = {(seen.method, seen.headers.get("sec-fetch-site"), seen.headers.get("origin")) for seen in house.employees.seen}
    assert {(site, origin) for _, site, origin in asked} <= {(None, None)}  # neither is passed on

"""What every request meets first, on both ways through."""

import asyncio
import re
from typing import Any

import msgspec

FORWARDED, OWN, UNKNOWN = "/v1/employees/7", "/v1/session", "/v1/nothing"


async def raw(house: Any, data: bytes) -> bytes:
    """The head of the answer to raw bytes."""
    host, port = house.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(data)
    async with asyncio.timeout(10):
        answer = await reader.read(65536)
    writer.close()
    return answer


async def endpoints(house: Any) -> list[tuple[str, str, str]]:
    """Method, path and policy of everything public, from the home document."""
    listed = (await house.browser().get("/")).json()["endpoints"]
    return [(one["method"], re.sub(r"{\w+}", "7", one["path"]), one["allow"]) for one in listed]


async def test_every_route_is_shut_without_a_session(house: Any) -> None:
    public = {("GET", path) for path in ("/", "/livez", "/readyz", "/metrics", "/openapi.json", "/docs", "/v1/login", "/v1/login/callback")}
    public |= {("POST", "/v1/session"), ("POST", "/v1/tokens")}
    listed = await endpoints(house)
    assert {(method, path) for method, path, allow in listed if allow == "public"} == public
    for method, path, allow in listed:
        if allow != "public":
            answer = await house.browser()(method, path)
            assert answer.status_code == 401, (method, path)
            assert answer.headers["www-authenticate"]
    body = {"name": "x", "scope": "read"}
    assert (await house.browser()("POST", "/v1/tokens", json=body)).status_code == 401, "who asks is told in more ways than one"
    assert house.employees.seen == house.teams.seen == []


async def test_every_route_asks_for_its_role(house: Any) -> None:
    ranks = {"viewer": ("read",), "editor": ("read", "write"), "admin": ("read", "write", "admin")}
    listed = [one for one in await endpoints(house) if one[2] != "public" and one[:2] != ("DELETE", "/v1/session")]
    for role, may in ranks.items():
        browser = await house.browser().log_in(role)
        for method, path, allow in listed:
            answer = await browser(method, path, content=b"{}", headers={"Content-Type": "application/json"})
            assert (answer.status_code == 403) is (allow not in may), (role, method, path)
            assert answer.status_code not in (401, 500)


async def test_these_are_public(house: Any) -> None:
    for path in ("/", "/livez", "/readyz", "/metrics", "/openapi.json", "/docs"):
        assert (await house.browser().get(path)).status_code == 200


async def test_probes_ask_no_other_service(house: Any) -> None:
    for path in ("/livez", "/readyz"):
        assert (await house.browser().get(path)).status_code == 200
    assert house.employees.seen == house.teams.seen == []


async def test_security_headers_are_on_every_answer(house: Any, viewer: Any) -> None:
    house.employees.on("GET /v1/employees/7", json={"id": 7}, headers={"cache-control": "public", "set-cookie": "a=b", "server": "x"})
    for path in (FORWARDED, UNKNOWN, "/", "/v1/%2e%2e", "/v1/search?bad=1", "/v1/accounts", OWN):
        for method in ("GET", "OPTIONS", "TRACE", "POST"):
            headers = (await viewer(method, path)).headers
            assert headers.get_list("x-content-type-options") == ["nosniff"]
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["x-request-id"]
            assert headers["cache-control"] == "no-store"
            assert not {"server", "strict-transport-security", "set-cookie"} & set(headers)


async def test_a_method_that_a_path_has_not_is_405_with_allow(house: Any, viewer: Any) -> None:
    for path in (FORWARDED, OWN, "/", "/v1/teams/1/members/2", "/v1/memberships/import"):
        answer = await viewer("TRACE", path)
        assert answer.status_code == 405
        assert answer.headers["allow"] == (await viewer("OPTIONS", path)).headers["allow"]
        assert {"GET", "POST"} & set(answer.headers["allow"].split(", "))


async def test_unknown_paths_are_404_and_ask_nobody(house: Any, viewer: Any) -> None:
    for path in (UNKNOWN, "/v1/changes/1", "/v1/employees/x", "/v1/employees/9223372036854775808", "/v1/employees/7/"):
        answer = await viewer.get(path)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
    assert house.employees.seen == house.teams.seen == []


async def test_a_forwarded_request_carries_an_assertion_and_nothing_of_the_session(house: Any, viewer: Any) -> None:
    house.employees.on("GET /v1/employees/7", json={"id": 7})
    headers = {
        "Authorization": "Basic bWluZTptaW5l",
        "X-Forwarded-For": "1.2.3.4",
        "X-Roster-Role": "admin",
        "X-Request-ID": "abc-1",
        "Prefer": "x=y",
    }
    answer = await viewer.get(FORWARDED + "?fields=id", headers=headers)
    assert answer.json() == {"id": 7}
    assert answer.headers["x-request-id"] == "abc-1"
    (seen,) = house.employees.seen
    assert (seen.path, seen.query) == ("/v1/employees/7", "fields=id")
    assert seen.headers["authorization"].startswith("Bearer ey")
    assert seen.headers["x-request-id"] == "abc-1"
    assert 0 < int(seen.headers["x-request-timeout-ms"]) <= 1700
    allowed = {"host", "accept", "authorization", "x-request-id", "traceparent", "x-request-timeout-ms", "prefer"}
    assert set(seen.headers) <= allowed


async def test_what_is_asked_to_be_put_together_carries_no_more(house: Any, viewer: Any) -> None:
    headers = {"Authorization": "Basic bTpt", "Forwarded": "for=1", "X-Real-IP": "1.2.3.4", "X_Roster_Role": "admin", "Prefer": "x=y"}
    await viewer.get(FORWARDED + "?expand=teams", headers=headers)
    for seen in (*house.employees.seen, *house.teams.seen):
        ours = {"host", "user-agent", "accept", "authorization", "x-request-id", "traceparent", "x-request-timeout-ms"}
        assert set(seen.headers) == ours
        assert seen.headers["authorization"].startswith("Bearer ey")
    assert house.employees.seen


async def test_a_client_may_ask_for_its_own_deadline(house: Any, viewer: Any) -> None:
    house.employees.on("GET /v1/employees/7", json={"id": 7})
    for asked, most in ((None, 765), ("1000", 382), ("99999", 3825)):  # of 85 %, what a first try gets
        await viewer.get(FORWARDED, headers={"X-Request-Timeout-Ms": asked} if asked else {})
        assert most / 2 < int(house.employees.seen.pop().headers["x-request-timeout-ms"]) <= most


async def test_a_service_that_hangs_is_a_504(house: Any, viewer: Any) -> None:
    house.employees.on("GET /v1/employees/7", hang=True)
    for path in (FORWARDED, FORWARDED + "?expand=teams"):
        answer = await viewer.get(path, headers={"X-Request-Timeout-Ms": "300"})
        assert answer.status_code == 504
        assert "employees" in answer.json()["detail"]


async def test_a_deadline_that_is_none_is_refused(house: Any, viewer: Any) -> None:
    for asked in ("x", "-1", "1.5", "1e3", "9999999999", "٣".encode()):
        assert (await viewer.get(OWN, headers={"X-Request-Timeout-Ms": asked})).status_code == 400


AMBIGUOUS = [
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"POST /v1/session HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    b"POST /v1/session HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /v1/session HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"GET /v1/\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /v1/../x HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /?a=\x7f HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX : x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
    b"GET / HTTP/1.1\nHost: a\n\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nCookie: a=b\r\nCookie: c=d\r\n\r\n",
    b"POST /v1/session HTTP/1.1\r\nHost: a\r\nContent-Length: 2, 2\r\n\r\n{}",
    b"POST /v1/session HTTP/1.1\r\nHost: a\r\nContent-Length: +2\r\n\r\n{}",
    b"POST /v1/session HTTP/1.1\r\nHost: a\r\nContent-Length: -2\r\n\r\n{}",
    b"POST /v1/session HTTP/1.1\r\nHost: a\r\nContent-Length: 0x2\r\n\r\n{}",
    b"POST /v1/session HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n{}",
    b"POST /v1/session HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
    b"POST /v1/session HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /v1/session HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    b"POST /v1/session HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    b"POST /v1/session HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /\r\n\r\n",
    b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n",
]


async def test_what_has_two_readings_is_a_400(house: Any) -> None:
    for head in AMBIGUOUS:
        answers = await raw(house, head)
        assert answers.startswith(b"HTTP/1.1 400"), (head, answers)
        assert answers.count(b"HTTP/1.1 400") == 1, head
        assert b"HTTP/1.1 2" not in answers, head


async def test_a_strange_request_id_is_replaced_and_a_trace_goes_on(house: Any, viewer: Any) -> None:
    house.employees.on("GET /v1/employees/7", json={"id": 7})
    trace = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    answer = await viewer.get(FORWARDED, headers={"X-Request-ID": "a b", "traceparent": trace})
    assert answer.headers["x-request-id"] != "a b"
    (seen,) = house.employees.seen
    assert seen.headers["traceparent"].split("-")[1] == "a" * 32


async def test_behind_a_trusted_proxy_that_speaks_tls_hsts_is_said(settings: Any, open_house: Any) -> None:
    async with open_house(msgspec.structs.replace(settings, trusted_proxies=("127.0.0.0/8",))) as house:
        answer = await house.browser().get("/", headers={"X-Forwarded-Proto": "https", "X-Forwarded-For": "198.51.100.7"})
        assert "strict-transport-security" in answer.headers


async def test_yaml_for_those_who_prefer_it(house: Any, viewer: Any) -> None:
    for path, status in ((OWN, 200), (UNKNOWN, 404), ("/v1/employees/7?expand=teams", 404), (OWN + "/x", 404)):
        answer = await viewer.get(path, headers={"Accept": "application/yaml"})
        assert answer.status_code == status
        assert answer.headers["content-type"].endswith("yaml")


async def test_home_lists_what_is_forwarded_too(house: Any) -> None:
    listed = {(one["method"], one["path"]) for one in (await house.browser().get("/")).json()["endpoints"]}
    for one in (("GET", "/v1/employees"), ("PATCH", "/v1/teams/{team_id}"), ("GET", "/v1/org-chart"), ("POST", "/v1/memberships/import")):
        assert one in listed


async def test_bodies_that_are_wrong_are_told_so(house: Any, admin: Any) -> None:
    table: list[tuple[bytes, str, int]] = [
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b'{"username": NaN}', "application/json", 400),
        (b'{"username":"a","username":"b"}', "application/json", 400),
        (b'{"username":"\\ud800","password":"x","role":"viewer"}', "application/json", 400),
        (b"[" * 100_000, "application/json", 413),
        (b"[" * 5_000, "application/json", 400),
        (b"x" * 10_000_000, "application/json", 413),
        (b"{}", "text/plain", 415),
        (b"[]", "application/json", 422),
        (b'{"id":1}', "application/json", 422),
    ]
    for body, media_type, status in table:
        for path in ("/v1/session", "/v1/accounts"):
            answer = await admin("POST", path, content=body, headers={"Content-Type": media_type})
            assert answer.status_code == status, (path, body[:40], answer.text[:200])
            assert answer.headers["content-type"] == "application/problem+json"


async def test_the_log_says_who_asked_what_and_no_secret(settings: Any, open_house: Any, capfd: Any) -> None:
    async with open_house(msgspec.structs.replace(settings, access_log=True)) as house:
        viewer = await house.browser().log_in("viewer")
        house.employees.on("GET /v1/employees/7", json={"id": 7, "username": "ada", "status": "active", "manager_id": None})
        cookie = viewer.cookie
        for path in (FORWARDED, OWN, UNKNOWN, FORWARDED + "?expand=teams"):
            await viewer.get(path, headers={"X-Request-ID": "traced"})
        assertion = house.employees.seen[0].headers["authorization"].removeprefix("Bearer ")
    told = capfd.readouterr()
    lines = [msgspec.json.decode(line) for line in told.err.splitlines() if '"traced"' in line and '"event":"request"' in line]
    assert [(line["operation"], line["status"]) for line in lines] == [
        ("get_employee", 200),
        ("get_session", 200),
        ("", 404),
        ("expand_employee", 200),
    ]
    assert {line["subject"] for line in lines} == {"account:1", ""}
    for secret in (cookie, cookie.rpartition(".")[2], assertion, settings.session_keys):
        assert secret not in told.err + told.out

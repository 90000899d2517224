"""What passes through to a service and back, and nothing else."""

from typing import Any

import pytest

from shared.testing.raw import OK, RawServers, replying


async def test_a_service_sees_the_allowed_fields_and_the_gateways_own(servers: RawServers, opened: Any) -> None:
    heads: list[bytes] = []
    async with opened(await servers.start(replying(OK, heads=heads))) as door:
        status, fields, body = await door.ask(
            b"POST /v1/things/7?a=%2e%2E&b HTTP/1.1\n"
            b"Accept: application/json\nAccept-Language: de\nAccept-Encoding: gzip\nContent-Type: text/csv\nContent-Length: 2\n"
            b"Idempotency-Key: k\nPrefer: handling=strict\nIf-None-Match: *\nIf-Match: 1\n"
            b"Authorization: Bearer stolen\nCookie: session=stolen\nForwarded: for=1.2.3.4\n"
            b"X-Forwarded-For: 1.2.3.4\nX-Forwarded-Host: evil\n"
            b"X-Real-IP: 1.2.3.4\nX-Request-ID: mine\nX-Request-Timeout-Ms: 9\nX-Roster-Role: admin\nIf_Match: 2\nX_Forwarded_For: 1\n"
            b"Connection: if-match, x-a\nX-A: b\nTE: trailers\nProxy-Authorization: x\n"
            b"Keep-Alive: x\nUser-Agent: me\nExpect: 100-continue\n",
            b"hi",
        )
        assert (status, body, fields["x-request-id"]) == (200, b"ok", "r-1")
    lines = heads[0].decode().split("\r\n")[:-2]
    assert lines[0] == "POST /v1/things/7?a=%2e%2E&b HTTP/1.1"
    timeout = next(line for line in lines if line.startswith("x-request-timeout-ms: "))
    assert 0 < int(timeout.split()[1]) <= 20_000
    assert sorted(set(lines[1:]) - {timeout}) == sorted(
        [
            f"host: {door.pool.origin.authority}",
            "content-length: 2",
            "accept: application/json",
            "content-type: text/csv",
            "idempotency-key: k",
            "prefer: handling=strict",
            "if-none-match: *",
            "authorization: Bearer assertion-of-ada",
            "x-request-id: r-1",
            "traceparent: 00-t",
        ]
    )


async def test_a_client_sees_the_allowed_fields_and_the_gateways_own(servers: RawServers, opened: Any) -> None:
    answer = (
        b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nETag: "1"\r\nLocation: /v1/a\r\n'
        b"Link: <a>; rel=next\r\nAllow: GET\r\nRetry-After: 1\r\n"
        b"Cache-Control: public\r\nIdempotency-Replayed: true\r\nContent-Disposition: attachment\r\n"
        b"Deprecation: x\r\nSunset: y\r\nVary: Accept\r\n"
        b"WWW-Authenticate: Bearer\r\nSet-Cookie: a=b\r\nServer: things\r\nX-Request-ID: theirs\r\n"
        b"X-Powered-By: x\r\nKeep-Alive: x\r\nUpgrade: x\r\n"
        b"Alt-Svc: x\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 2\r\n\r\n{}"
    )
    async with opened(await servers.start(replying(answer))) as door:
        _, fields, body = await door.ask(b"GET /v1/things HTTP/1.1\n")
    assert body == b"{}"
    assert set(fields) - {"date", "connection"} == {
        *(
            "content-type",
            "etag",
            "location",
            "link",
            "allow",
            "retry-after",
            "idempotency-replayed",
            "content-disposition",
        ),
        *("deprecation", "sunset", "vary", "x-request-id", "content-length"),
    }
    assert fields["x-request-id"] == "r-1"


@pytest.mark.parametrize(
    ("method", "answer", "status", "body"),
    [
        (b"HEAD", b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n", 200, b""),
        (b"GET", b'HTTP/1.1 304 Not Modified\r\netag: "1"\r\n\r\n', 304, b""),
        (b"DELETE", b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"GET", b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}", 404, b"{}"),
        (b"GET", b"HTTP/1.1 500 Oh\r\ncontent-length: 2\r\n\r\n{}", 500, b"{}"),
        (b"GET", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", 200, b"abc"),
    ],
)
async def test_answers_of_every_kind(servers: RawServers, method: bytes, answer: bytes, status: int, body: bytes, opened: Any) -> None:
    async with opened(await servers.start(replying(answer))) as door:
        for _ in range(2):
            found, fields, content = await door.ask(method + b" /v1/things HTTP/1.1\n")
            assert (found, content) == (status, body)
            assert method != b"HEAD" or fields["content-length"] == "7"
        assert door.seen == [status, status]
        assert servers.connections == 1

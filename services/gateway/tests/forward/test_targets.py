"""A target passes as it is, or not at all."""

import posixpath
import re
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule

from gateway.forward import safe_target
from shared.testing.raw import OK, RawServers, replying

RULES = Map(
    [
        Rule("/v1/things", endpoint="list"),
        Rule("/v1/things/<int:id>", endpoint="get"),
        Rule("/v1/things/<int:id>/parts", endpoint="parts"),
        Rule("/", endpoint="home"),
    ],
    strict_slashes=False,
)
SEGMENT = st.sampled_from(
    [
        "v1",
        "things",
        "7",
        "parts",
        ".",
        "..",
        "",
        "%2e%2e",
        "%2F",
        "a%2fb",
        "%5c",
        "\\",
        "%00",
        "\0",
        " ",
        "%20",
        ";x",
        "%",
        "%zz",
        "\xe9",
        "%C3%A9",
        "a:b",
        "@",
        "~",
    ]
)
PATH = st.lists(SEGMENT, max_size=6).map(lambda parts: ("/" + "/".join(parts)).encode("latin-1")) | st.binary(max_size=30)


def operation(path: bytes) -> object:
    """What a service would run for a path as its server decodes it."""
    try:
        return RULES.bind("x").match(unquote_to_bytes(path).decode("utf-8", "replace"), method="GET")
    except HTTPException as error:
        return type(error)


@given(PATH, st.binary(max_size=20))
@example(b"/v1/things/..", b"")
@example(b"/v1/things/7", b"a=%2e%2e/../x")
@example(b"/", b"")
def test_what_passes_is_the_same_operation_however_often_it_is_read(path: bytes, query: bytes) -> None:
    target = safe_target(path, query)
    if target is None:
        return
    passed, _, passed_query = target.partition(b"?")
    assert (passed, passed_query) == (path, query)
    normal = posixpath.normpath(passed.decode()) + ("/" if passed.endswith(b"/") and passed != b"/" else "")
    assert normal.encode() == passed == unquote_to_bytes(passed)
    assert operation(passed) == operation(unquote_to_bytes(passed)) == operation(normal.encode())
    assert re.fullmatch(rb"[!-~]*", target)
    assert b"#" not in target


PLAIN = [b"", b"v1", b"*", b"//", b"//v1", b"/v1//things", b"/v1/..", b"/v1/../", b"/v1/./things", b"/..", b"/.", b"/[", b"/a|b"]
ODD = [b"/a\\b", b"/a\0", b"/a b", b"/a#b", b"/a?b", b"/\xc3\xa9", b"/a\r\nb", b"/a\x7f", b'/"']
ESCAPED = [b"/v1/%2e%2e", b"/v1/%2E./x", b"/a%2fb", b"/a%5Cb", b"/a%00", b"/a%20b", b"/%c3%a9", b"/%", b"/%76%31"]


@pytest.mark.parametrize("path", [*PLAIN, *ODD, *ESCAPED])
def test_paths_that_do_not_pass(path: bytes) -> None:
    assert safe_target(path, b"") is None


@pytest.mark.parametrize("query", [b"a b", b"a\r\nb", b"a#b", b"\0", b"\xc3\xa9", b"\x7f", b"a\tb"])
def test_queries_that_do_not_pass(query: bytes) -> None:
    assert safe_target(b"/v1/things", query) is None


async def test_nothing_is_asked_of_a_service_for_them(servers: RawServers, opened: Any) -> None:
    async with opened(await servers.start(replying(OK))) as door:
        for path in (b"/v1/things/../7", b"/v1/%2e%2e/7", b"//evil/v1"):
            assert (await door.ask(b"GET %b HTTP/1.1\n" % path))[0] == 400
    assert servers.connections == 0

"""The head of a request: one head, whatever the caller puts into it."""

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.pool.encode import REFUSED, encode_head

HOST = b"host: x"


def test_writes_the_head_and_a_short_body_in_one() -> None:
    assert encode_head(b"POST", b"/a?b", HOST, [(b"accept", b"*/*")], b"hi", None) == (
        b"POST /a?b HTTP/1.1\r\nhost: x\r\naccept: */*\r\ncontent-length: 2\r\n\r\nhi"
    )


@pytest.mark.parametrize(("method", "framing"), [(b"GET", b""), (b"DELETE", b""), (b"POST", b"content-length: 0\r\n")])
def test_says_that_there_is_no_body_where_one_is_expected(method: bytes, framing: bytes) -> None:
    assert encode_head(method, b"/", HOST, [], None, None) == b"%b / HTTP/1.1\r\nhost: x\r\n%b\r\n" % (method, framing)


@pytest.mark.parametrize("name", [*sorted(REFUSED), b"Host", b"", b"a b", b"a:", b"a\r\nb", b"\xe9", b"a\0"])
def test_refuses_names_that_are_not_the_callers(name: bytes) -> None:
    with pytest.raises(ValueError, match="not a header"):
        encode_head(b"GET", b"/", HOST, [(name, b"x")], None, None)


@pytest.mark.parametrize("target", [b"", b"a", b"http://x/", b"/a b", b"/a\r\nb", b"/\0", b"/\xe9", b"/a#b", b"*", b"/a\tb"])
def test_refuses_targets(target: bytes) -> None:
    with pytest.raises(ValueError, match="not a target"):
        encode_head(b"GET", target, HOST, [], None, None)


@pytest.mark.parametrize("method", [b"", b"get", b"CONNECT", b"TRACE", b"GET /", b"G\r\nT"])
def test_refuses_methods(method: bytes) -> None:
    with pytest.raises(ValueError, match="not a method"):
        encode_head(method, b"/", HOST, [], None, None)


@given(st.lists(st.tuples(st.sampled_from([b"accept", b"x-a", b"authorization"]), st.binary(max_size=20)), max_size=4))
def test_no_value_starts_a_line_of_its_own(headers: list[tuple[bytes, bytes]]) -> None:
    """What is not refused is read by h11 as exactly one request with exactly these fields."""
    try:
        head = encode_head(b"GET", b"/", HOST, headers, None, None)
    except ValueError:
        assert any(byte in value for _, value in headers for byte in b"\r\n\0")
        return
    assert head.count(b"\r\n") == len(headers) + 3
    server = h11.Connection(h11.SERVER)
    server.receive_data(head)
    try:
        request = server.next_event()
    except h11.RemoteProtocolError:
        return  # other control bytes: a server refuses them, and nobody is fooled
    assert isinstance(request, h11.Request)
    assert [name for name, _ in request.headers] == [b"host", *(name for name, _ in headers)]

"""The pool reads responses as h11 does: same status, fields and body, or both refuse, however the bytes are cut."""

from dataclasses import dataclass

import h11
from hypothesis import given
from hypothesis import strategies as st

from shared.pool import ProtocolViolation
from shared.pool.reader import ResponseReader
from shared.testing.raw import cut

TOKEN = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789-_!#$%&'*+.^`|~", min_size=1, max_size=12).map(
    lambda text: ("x-" + text).encode()
)
VALUE = st.text('abcXYZ019 \t,;="()<>@/?{}\xe9\xff', max_size=20).map(lambda text: text.strip(" \t").encode("latin-1"))
FIELDS = st.lists(st.tuples(TOKEN, VALUE), max_size=6)
REASON = st.text("abc XYZ019\t\xe9", max_size=12).map(lambda text: text.encode("latin-1"))
STATUS = st.integers(200, 599)
CUTS = st.lists(st.integers(1, 40), min_size=1, max_size=8)


@dataclass
class Reading:
    """What a reader made of the bytes; `whole` if it saw the end, None as a whole for a refusal."""

    status: int
    fields: list[tuple[bytes, bytes]]
    body: bytes
    whole: bool


def ours(pieces: list[bytes], method: bytes, eof: bool) -> Reading | None:
    reader = ResponseReader(1 << 20)
    reader.begin(method)
    try:
        for piece in pieces:
            reader.feed(piece)
    except ProtocolViolation:
        return None
    if eof:
        reader.end()
    return Reading(reader.status, reader.headers, b"".join(reader.pieces), reader.done) if reader.head_done else Reading(0, [], b"", False)


def theirs(pieces: list[bytes], method: bytes, eof: bool) -> Reading | None:
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    connection.send(h11.Request(method=method, target=b"/", headers=[(b"host", b"x")]))
    connection.send(h11.EndOfMessage())
    reading = Reading(0, [], b"", False)
    try:
        for piece in [*pieces, b""] if eof else pieces:
            connection.receive_data(piece)
            while True:
                event = connection.next_event()
                if isinstance(event, h11.Response):
                    reading.status, reading.fields = event.status_code, list(event.headers)
                elif isinstance(event, h11.Data):
                    reading.body += bytes(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    reading.whole = True
                elif event in (h11.NEED_DATA, h11.PAUSED) or isinstance(event, h11.ConnectionClosed):
                    break
        if reading.whole and connection.trailing_data[0]:
            return None
    except h11.RemoteProtocolError:
        # h11 raises for a message that the end of the stream cut off; to the reader it is unfinished, and the connection raises.
        return reading if eof else None
    return reading


@st.composite
def responses(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A method and a correct response to it, with interim ones before it."""
    method = draw(st.sampled_from([b"GET", b"GET", b"GET", b"HEAD", b"POST"]))
    status = draw(STATUS)
    fields = draw(FIELDS)
    body = draw(st.binary(max_size=200))
    framing = draw(st.sampled_from(["length", "chunks", "close"]))
    data = b"".join(b"HTTP/1.1 103 Early\r\nx-a: b\r\n\r\n" for _ in range(draw(st.integers(0, 2))))
    if framing == "length":
        fields = [*fields, (b"Content-Length", b"%d" % len(body))]
    elif framing == "chunks":
        fields = [*fields, (b"Transfer-Encoding", b"chunked")]
        pieces = cut(body, draw(CUTS))
        trailer = b"".join(b"%b: %b\r\n" % field for field in draw(st.lists(st.tuples(TOKEN, VALUE), max_size=2)))
        extension = draw(st.sampled_from([b"", b";a", b";a=b", b';a="b c"']))
        body = b"".join(b"%x%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces) + b"0\r\n" + trailer + b"\r\n"
    if method == b"HEAD" or status in (204, 304):
        body = b""
    data += b"HTTP/1.1 %d %b\r\n" % (status, draw(REASON)) + b"".join(b"%b: %b\r\n" % field for field in fields) + b"\r\n" + body
    return method, data


@given(responses(), CUTS, st.booleans())
def test_whole_responses(response: tuple[bytes, bytes], sizes: list[int], eof: bool) -> None:
    method, data = response
    pieces = cut(data, sizes)
    found = ours(pieces, method, eof)
    assert found is not None
    assert found == theirs(pieces, method, eof)


@given(responses(), CUTS, st.booleans(), st.data())
def test_truncated_responses(response: tuple[bytes, bytes], sizes: list[int], eof: bool, data: st.DataObject) -> None:
    method, whole = response
    pieces = cut(whole[: data.draw(st.integers(0, len(whole)))], sizes)
    found = ours(pieces, method, eof)
    assert found is not None
    expected = theirs(pieces, method, eof)
    assert expected is not None
    assert (found.status, found.fields, found.whole) == (expected.status, expected.fields, expected.whole)
    assert found.body == expected.body


@given(responses(), CUTS, st.data())
def test_what_h11_refuses_in_a_damaged_response_is_refused(response: tuple[bytes, bytes], sizes: list[int], data: st.DataObject) -> None:
    method, whole = response
    place = data.draw(st.integers(0, len(whole) - 1))
    damage = data.draw(st.sampled_from([b"\n", b"\r", b"\0", b" ", b":", b"\r\n", b"\x7f", b"1"]))
    removed = data.draw(st.integers(0, 1))
    pieces = cut(whole[:place] + damage + whole[place + removed :], sizes)
    found = ours(pieces, method, eof=False)
    if found is not None and found.whole:
        expected = theirs(pieces, method, eof=False)
        assert expected is not None
        assert (found.status, found.body) == (expected.status, expected.body)
        assert found.fields == expected.fields

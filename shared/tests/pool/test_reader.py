"""What the reader takes and what it refuses, byte by byte; and the same of a whole pool."""

import pytest

from shared.pool import ProtocolViolation
from shared.pool.reader import MAX_FIELDS, MAX_INTERIM, ResponseReader

HEAD = b"HTTP/1.1 200 OK\r\n"

GOOD = {
    "a length": (HEAD + b"content-length: 2\r\n\r\nhi", 200, b"hi"),
    "nothing": (HEAD + b"content-length: 0\r\n\r\n", 200, b""),
    "chunks": (HEAD + b"transfer-encoding: chunked\r\n\r\n1\r\nh\r\n1;a=b\r\ni\r\n0\r\n\r\n", 200, b"hi"),
    "a coding in capitals": (HEAD + b"Transfer-Encoding: Chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", 200, b"hi"),
    "a trailer": (HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\netag: x\r\n\r\n", 200, b"hi"),
    "no reason": (b"HTTP/1.1 204\r\n\r\n", 204, b""),
    "an empty reason": (b"HTTP/1.1 204 \r\n\r\n", 204, b""),
    "a reason in Latin-1": (b"HTTP/1.1 404 Pas trouv\xe9\r\ncontent-length: 0\r\n\r\n", 404, b""),
    "not modified, with a length": (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n", 304, b""),
    "interim ones first": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: x\r\n\r\n" + HEAD + b"content-length: 2\r\n\r\nhi",
        200,
        b"hi",
    ),
    "a blank at the end of the length": (HEAD + b"content-length: 2 \t\r\n\r\nhi", 200, b"hi"),
}

BAD = {
    "length and coding": HEAD + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding and length": HEAD + b"transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
    "the same length twice": HEAD + b"content-length: 2\r\ncontent-length: 2\r\n\r\nhi",
    "two lengths": HEAD + b"content-length: 2\r\ncontent-length: 1\r\n\r\nhi",
    "a list of lengths": HEAD + b"content-length: 2, 2\r\n\r\nhi",
    "a signed length": HEAD + b"content-length: +2\r\n\r\nhi",
    "a length in hex": HEAD + b"content-length: 0x2\r\n\r\nhi",
    "an empty length": HEAD + b"content-length:\r\n\r\n",
    "a length beyond all bounds": HEAD + b"content-length: 99999999999999999999\r\n\r\n",
    "a line feed after the status": b"HTTP/1.1 200 OK\ncontent-length: 2\r\n\r\nhi",
    "a line feed after a field": HEAD + b"content-length: 2\na: b\r\n\r\nhi",
    "a line feed for a blank line": HEAD + b"content-length: 2\r\n\nhi",
    "line feeds only": b"HTTP/1.1 200 OK\ncontent-length: 2\n\nhi",
    "a line feed after a chunk's size": HEAD + b"transfer-encoding: chunked\r\n\r\n2\nhi\r\n0\r\n\r\n",
    "a line feed after a chunk": HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\nhi\n0\r\n\r\n",
    "a folded line": HEAD + b"a: b\r\n c\r\ncontent-length: 2\r\n\r\nhi",
    "a folded length": HEAD + b"content-length:\r\n 2\r\n\r\nhi",
    "a blank before a colon": HEAD + b"content-length : 2\r\n\r\nhi",
    "a line without a colon": HEAD + b"content-length\r\n\r\nhi",
    "a field without a name": HEAD + b": 2\r\n\r\nhi",
    "a carriage return in a value": HEAD + b"a: b\rc\r\ncontent-length: 2\r\n\r\nhi",
    "NUL in a value": HEAD + b"a: b\0c\r\ncontent-length: 2\r\n\r\nhi",
    "NUL in a name": HEAD + b"a\0b: c\r\ncontent-length: 2\r\n\r\nhi",
    "a control byte in the reason": b"HTTP/1.1 200 O\x01K\r\ncontent-length: 2\r\n\r\nhi",
    "a byte too many": HEAD + b"content-length: 2\r\n\r\nhi!",
    "a blank line too many": HEAD + b"content-length: 2\r\n\r\nhi\r\n",
    "a response too many": (HEAD + b"content-length: 2\r\n\r\nhi") * 2,
    "a body where there is none": b"HTTP/1.1 204 No Content\r\n\r\nhi",
    "a body announced where there is none": b"HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\nhi",
    "a body after nothing": HEAD + b"content-length: 0\r\n\r\nhi",
    "a body of a not modified": b"HTTP/1.1 304 Not Modified\r\ncontent-length: 2\r\n\r\nhi",
    "bytes after the last chunk": HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\nmore",
    "a blank line after the last chunk": HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n\r\n",
    "a head after the last chunk": HEAD + b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n" + HEAD + b"content-length: 5\r\n\r\n",
    "a response after the last chunk": HEAD + b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n" + HEAD + b"content-length: 0\r\n\r\n",
    "another coding": HEAD + b"transfer-encoding: gzip\r\n\r\nhi",
    "two codings": HEAD + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": HEAD + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked twice in a list": HEAD + b"transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "no coding at all": HEAD + b"transfer-encoding:\r\n\r\n",
    "identity": HEAD + b"transfer-encoding: identity\r\n\r\nhi",
    "a chunk's size in blanks": HEAD + b"transfer-encoding: chunked\r\n\r\n2 \r\nhi\r\n0\r\n\r\n",
    "a chunk's size with 0x": HEAD + b"transfer-encoding: chunked\r\n\r\n0x2\r\nhi\r\n0\r\n\r\n",
    "a chunk's size with a sign": HEAD + b"transfer-encoding: chunked\r\n\r\n+2\r\nhi\r\n0\r\n\r\n",
    "a chunk's size beyond all bounds": HEAD + b"transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\nhi\r\n0\r\n\r\n",
    "a chunk longer than it says": HEAD + b"transfer-encoding: chunked\r\n\r\n1\r\nhi\r\n0\r\n\r\n",
    "a length in the trailer": HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\ncontent-length: 2\r\n\r\n",
    "a change of protocol": b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    "a flood of interim ones": b"HTTP/1.1 100 Continue\r\n\r\n" * (MAX_INTERIM + 1),
    "an interim one, then a blank line": b"HTTP/1.1 100 Continue\r\n\r\n\r\n" + HEAD + b"content-length: 2\r\n\r\nhi",
    "a blank line first": b"\r\n" + HEAD + b"content-length: 2\r\n\r\nhi",
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi",
    "HTTP/0.9": b"HTTP/0.9 200 OK\r\ncontent-length: 2\r\n\r\nhi",
    "HTTP/2": b"HTTP/2 200 OK\r\ncontent-length: 2\r\n\r\nhi",
    "small letters": b"http/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi",
    "another protocol": b"ICE/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi",
    "no protocol": b"<html>hello</html>\r\n\r\n",
    "a status of two digits": b"HTTP/1.1 99 OK\r\ncontent-length: 2\r\n\r\nhi",
    "a status of four digits": b"HTTP/1.1 2000 OK\r\ncontent-length: 2\r\n\r\nhi",
    "a status of 600": b"HTTP/1.1 600 OK\r\ncontent-length: 2\r\n\r\nhi",
    "a status of 000": b"HTTP/1.1 000 OK\r\ncontent-length: 2\r\n\r\nhi",
    "no status": b"HTTP/1.1 OK\r\ncontent-length: 2\r\n\r\nhi",
    "two blanks before the status": b"HTTP/1.1  200 OK\r\ncontent-length: 2\r\n\r\nhi",
    "a head without end": HEAD + b"a: " + b"x" * 40_000,
    "a head that is too large": HEAD + b"a: " + b"x" * 40_000 + b"\r\ncontent-length: 0\r\n\r\n",
    "too many fields": HEAD + b"a: b\r\n" * (MAX_FIELDS + 1) + b"content-length: 0\r\n\r\n",
    "too many fields of different names": HEAD + b"".join(b"a%d: b\r\n" % n for n in range(MAX_FIELDS)) + b"content-length: 0\r\n\r\n",
    "an extension without end": HEAD + b"transfer-encoding: chunked\r\n\r\n1;" + b"x" * 40_000,
    "a trailer without end": HEAD + b"transfer-encoding: chunked\r\n\r\n0\r\na: " + b"x" * 40_000,
}


def read(data: bytes, step: int, method: bytes = b"GET") -> ResponseReader:
    """Feed the data in steps."""
    reader = ResponseReader(32 * 1024)
    reader.begin(method)
    for start in range(0, len(data), step):
        reader.feed(data[start : start + step])
    return reader


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1_000_000])
@pytest.mark.parametrize("case", GOOD)
def test_takes_however_it_is_cut(case: str, step: int) -> None:
    data, status, body = GOOD[case]
    reader = read(data, step)
    assert (reader.status, b"".join(reader.pieces), reader.done, reader.keep_alive) == (status, body, True, True)


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1_000_000])
@pytest.mark.parametrize("case", BAD)
def test_refuses_however_it_is_cut(case: str, step: int) -> None:
    with pytest.raises(ProtocolViolation):
        read(BAD[case], step)


def test_reads_many_responses_one_after_the_other() -> None:
    reader = ResponseReader(1024)
    for data, status, body in list(GOOD.values()) * 3:
        reader.begin(b"GET")
        reader.feed(data)
        assert (reader.done, reader.status, b"".join(reader.take())) == (True, status, body)


def test_nothing_of_one_response_is_left_in_the_next() -> None:
    reader = ResponseReader(1024)
    reader.feed(HEAD + b"etag: a\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
    reader.begin(b"GET")
    reader.feed(HEAD + b"content-length: 0\r\n\r\n")
    assert reader.headers == [(b"content-length", b"0")]
    assert reader.keep_alive


def test_an_answer_to_head_has_no_body() -> None:
    reader = ResponseReader(1024)
    for framing in (b"content-length: 7", b"transfer-encoding: chunked", b"a: b"):
        reader.begin(b"HEAD")
        reader.feed(HEAD + framing + b"\r\n\r\n")
        assert reader.done
        assert reader.keep_alive
    reader.begin(b"HEAD")
    with pytest.raises(ProtocolViolation):
        reader.feed(HEAD + b"content-length: 2\r\n\r\nhi")


def test_a_body_without_an_end_ends_with_the_connection() -> None:
    reader = read(HEAD + b"\r\nhi", 1)
    assert (reader.done, reader.keep_alive) == (False, False)
    reader.end()
    assert reader.done


@pytest.mark.parametrize("rest", [b"content-length: 3\r\n\r\nhi", b"transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n", b"a: b\r\n"])
def test_other_bodies_do_not(rest: bytes) -> None:
    reader = read(HEAD + rest, 1000)
    reader.end()
    assert not reader.done


def test_fields_keep_their_order_their_doubles_and_lose_their_capitals() -> None:
    reader = read(HEAD + b"Link: a\r\nX-A:  b \t\r\nlink: c\r\nEmpty:\r\nContent-Length: 0\r\n\r\n", 1000)
    assert reader.headers == [(b"link", b"a"), (b"x-a", b"b"), (b"link", b"c"), (b"empty", b""), (b"content-length", b"0")]


def test_interim_fields_are_not_the_answers() -> None:
    reader = read(b"HTTP/1.1 103 Early\r\nconnection: close\r\nlink: x\r\n\r\n" + HEAD + b"content-length: 0\r\n\r\n", 1000)
    assert reader.headers == [(b"content-length", b"0")]
    assert reader.keep_alive


@pytest.mark.parametrize("value", [b"close", b"Close", b"keep-alive, close"])
def test_connection_close_is_heeded(value: bytes) -> None:
    assert not read(HEAD + b"Connection: " + value + b"\r\ncontent-length: 0\r\n\r\n", 1000).keep_alive

"""Reads the bytes of one connection as HTTP/1.1 responses, and refuses what two readers could read differently.

httptools (llhttp without leniencies) reads heads and chunks and refuses bare line feeds, folded lines, doubled lengths, and a
length beside a transfer coding. It cannot say where a message ended, takes 0.9 and 2.0, any reason phrase, any
transfer coding, and blank lines around a message: so a head is cut off before it is read, and a body of known length is counted
here. The fields are collected without a Python call for each, which is a third of the whole cost; a head that this would distort
(doubled names, blanks at the end of a value) is read once more the slow way.
"""

import re
from typing import Any

import httptools

from shared.pool.chunks import ChunkReader
from shared.pool.errors import ProtocolViolation

MAX_INTERIM = 8
MAX_FIELDS = 128
_STATUS_LINE = re.compile(rb"HTTP/1\.1 [1-5][0-9][0-9](?: [\t\x20-\x7e\x80-\xff]*)?\r\n")
_SINGLE = frozenset((b"content-length", b"content-type", b"etag", b"location", b"transfer-encoding"))

Fields = list[tuple[bytes, bytes]]


class _Sink:
    """What a parser calls, and nothing else: it looks for its callbacks as attributes."""

    __slots__ = ("on_header",)

    def __init__(self, on_header: Any) -> None:
        self.on_header = on_header


class ResponseReader:
    """Feed it bytes; it fills `status`, `headers` (names in lower case) and `pieces`, and sets `head_done` and `done`.

    Raises ProtocolViolation, after which it must not be fed again. `keep_alive` is meaningful once `head_done`.
    """

    __slots__ = (
        "_chunks",
        "_coded",
        "_fields",
        "_for_head",
        "_head",
        "_interim",
        "_length",
        "_max_head",
        "_parser",
        "_remaining",
        "done",
        "head_done",
        "headers",
        "keep_alive",
        "pieces",
        "received",
        "status",
    )

    def __init__(self, max_head: int) -> None:
        self._max_head = max_head
        self._fields: dict[bytes, bytes] = {}
        self._parser: Any = None
        self.begin(b"GET")

    def begin(self, method: bytes) -> None:
        """Make ready for the response to a request of this method (one to HEAD has no body)."""
        self._for_head = method == b"HEAD"
        self._head = b""
        self._interim = self._remaining = self._length = self.status = 0
        self._coded = False
        self._chunks: ChunkReader | None = None
        self.pieces: list[bytes] = []
        self.headers: Fields = []
        self.head_done = self.done = self.received = False
        self.keep_alive = True

    def feed(self, data: bytes) -> None:
        """Read what came. Bytes after the end of the response are a violation."""
        if self.head_done:
            self._feed_body(data)
        else:
            self.received = True
            self._feed_head(self._head + data if self._head else data)

    def end(self) -> None:
        """The other side will send nothing more: completes a body that has no other end, otherwise leaves `done` as it is."""
        if self.head_done and self._remaining < 0:
            self.done = True

    def take(self) -> list[bytes]:
        """The pieces of the body since the last call."""
        if self._chunks is None:
            pieces, self.pieces = self.pieces, []
        else:
            pieces = self.pieces[:]
            self.pieces.clear()
        return pieces

    def _feed_head(self, data: bytes) -> None:
        while True:
            end = data.find(b"\r\n\r\n") + 4
            if end < 4:
                self._hold(data)
                return
            if end > self._max_head:
                raise ProtocolViolation("the response's header section is too large")
            self._read_head(data[:end])
            data = data[end:]
            if self.status >= 200:
                break
            self._count_interim()
            if not data:
                self._head = b""
                return
        self._head = b""
        self.head_done = True
        self._begin_body(data)

    def _hold(self, data: bytes) -> None:
        """Keep an unfinished head, unless it is already known to be bad."""
        if len(data) > self._max_head:
            raise ProtocolViolation("the response's header section is too large")
        if not data.startswith(b"HTTP/1.1 "[: len(data)]):
            raise ProtocolViolation("not the status line of an HTTP/1.1 response")
        if data.count(b"\n") != data.count(b"\r\n"):
            raise ProtocolViolation("a bare line feed in the response's header section")
        self._head = data

    def _read_head(self, head: bytes) -> None:
        """Read one whole head, up to and with its blank line."""
        if _STATUS_LINE.match(head) is None:
            raise ProtocolViolation("not the status line of an HTTP/1.1 response")
        fields = self._fields
        if self._parser is None:
            self._parser = httptools.HttpResponseParser(_Sink(fields.__setitem__))
        _parse(self._parser, head)
        self.status = self._parser.get_status_code()
        if len(fields) > MAX_FIELDS:
            raise ProtocolViolation("too many fields in the response's header section")
        read = fields if b"".join(fields).islower() else {name.lower(): value for name, value in fields.items()}
        if len(read) == head.count(b"\n") - 2 and b" \r" not in head and b"\t" not in head:
            self.headers = list(read.items())
            self._frame(read)
        else:
            self.headers = _read_fields(head)
            self._frame(_once(self.headers))
        fields.clear()

    def _frame(self, fields: dict[bytes, bytes]) -> None:
        """Take from the fields what says where the body ends."""
        coding = fields.get(b"transfer-encoding")
        length = fields.get(b"content-length")
        if coding is not None and (length is not None or coding.lower() != b"chunked"):
            raise ProtocolViolation("a length beside a transfer coding, or a coding other than chunked")
        if length is not None and (len(length) > 18 or not length.isdigit()):
            raise ProtocolViolation("a length that can't be read")
        self._coded = coding is not None
        self._length = -1 if length is None else int(length)
        connection = fields.get(b"connection")
        self.keep_alive = connection is None or b"close" not in connection.lower()

    def _count_interim(self) -> None:
        self._interim += 1
        self._parser = None
        if self.status == 101:
            raise ProtocolViolation("a change of protocol that nobody asked for")
        if self._interim > MAX_INTERIM:
            raise ProtocolViolation("too many interim responses")

    def _begin_body(self, data: bytes) -> None:
        parser, self._parser = self._parser, None
        length = self._length
        if self._for_head or self.status in (204, 304):
            self.done = True
        elif self._coded:
            self._chunks = ChunkReader(self.pieces, self._max_head)
        elif length == len(data):
            # The usual case, all at once: the parser sees the whole message, and can be used for the next.
            self.done = True
            if length:
                _parse(parser, data)
                self.pieces.append(data)
            self._parser = parser if self.keep_alive else None
            return
        else:
            self._remaining = length
            self.done = not length
            self.keep_alive = self.keep_alive and length >= 0
        if data:
            self._feed_body(data)

    def _feed_body(self, data: bytes) -> None:
        remaining = self._remaining
        if self._chunks is not None and not self.done:
            self._chunks.feed(data)
            self.done = self._chunks.done
        elif self.done or 0 <= remaining < len(data):
            raise ProtocolViolation("bytes after the end of the response")
        else:
            self.pieces.append(data)
            if remaining > 0:
                self._remaining = remaining = remaining - len(data)
                self.done = not remaining


def _parse(parser: Any, data: bytes) -> None:
    try:
        parser.feed_data(data)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
        raise ProtocolViolation(f"not an HTTP/1.1 response: {error}") from error


def _once(fields: Fields) -> dict[bytes, bytes]:
    """The fields by name, those of one name joined; what has one value must not be among these."""
    joined: dict[bytes, bytes] = {}
    for name, value in fields:
        if name not in joined:
            joined[name] = value
        elif name in _SINGLE:
            raise ProtocolViolation(f"more than one {name.decode()}")
        else:
            joined[name] += b", " + value
    return joined


def _read_fields(head: bytes) -> Fields:
    """All fields of a head in the order they came, also those of one name; names in lower case, values without blanks around."""
    fields: Fields = []
    _parse(httptools.HttpResponseParser(_Sink(lambda name, value: fields.append((name.lower(), value.strip(b" \t"))))), head)
    if len(fields) > MAX_FIELDS:
        raise ProtocolViolation("too many fields in the response's header section")
    return fields

"""Reads the bytes of one connection as HTTP/1.1 responses, and refuses what two readers could read differently.

httptools (llhttp without leniencies) reads heads and chunks and refuses bare line feeds, folded lines, doubled lengths, and a
length beside a transfer coding. It cannot say where a message ended, takes 0.9 and 2.0, any reason phrase, any
transfer coding, and blank lines around a message: so the head is cut off here before it is read, and a body of known length is counted
here. Each response gets a parser of its own (0.4 µs), so that nothing of one response can colour the next.
"""

import re
from typing import Any

import httptools

from shared.pool.errors import ProtocolViolation

MAX_INTERIM = 8
MAX_FIELDS = 128
_STATUS_LINE = re.compile(rb"HTTP/1\.1 [1-5][0-9][0-9](?: [\t\x20-\x7e\x80-\xff]*)?\r\n")
_FRAMING = frozenset((b"content-length", b"transfer-encoding", b"connection"))
_UNTIL_CLOSE = -1
_CHUNKED = -2


class ResponseReader:
    """Feed it bytes; it fills `status`, `headers` (names in lower case) and `pieces`, and sets `head_done` and `done`.

    Raises ProtocolViolation, after which it must not be fed again. `keep_alive` is meaningful once `done`.
    """

    __slots__ = (
        "_announced",
        "_coded",
        "_for_head",
        "_head",
        "_interim",
        "_max_head",
        "_overhead",
        "_parser",
        "_remaining",
        "_tail",
        "_trailer_done",
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
        self.begin(b"GET")

    def begin(self, method: bytes) -> None:
        """Make ready for the response to a request of this method (one to HEAD has no body)."""
        self._parser: Any = httptools.HttpResponseParser(self)
        self._for_head = method == b"HEAD"
        self._head = b""
        self._tail = b""
        self._interim = 0
        self._overhead = 0
        self._remaining = 0
        self._trailer_done = False
        self.pieces: list[bytes] = []
        self.head_done = self.done = self.received = False
        self.status = 0
        self._clear()

    def _clear(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self._announced = -1
        self._coded = False
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
        if self.head_done and self._remaining == _UNTIL_CLOSE:
            self.done = True

    def _feed_head(self, data: bytes) -> None:
        while True:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._hold(data)
                return
            end += 4
            if end > self._max_head:
                raise ProtocolViolation("the response's header section is too large")
            head = data if end == len(data) else data[:end]
            if _STATUS_LINE.match(head) is None:
                raise ProtocolViolation("not the status line of an HTTP/1.1 response")
            self._parse(head)
            self.status = status = self._parser.get_status_code()
            if status >= 200:
                break
            self._count_interim(status)
            data = data[end:]
            if not data:
                self._head = b""
                return
        self._head = b""
        self.head_done = True
        self._begin_body()
        if end != len(data):
            self._feed_body(data[end:])

    def _hold(self, data: bytes) -> None:
        """Keep an unfinished head, unless it is already known to be bad."""
        if len(data) > self._max_head:
            raise ProtocolViolation("the response's header section is too large")
        if not data.startswith(b"HTTP/1.1 "[: len(data)]):
            raise ProtocolViolation("not the status line of an HTTP/1.1 response")
        if data.count(b"\n") != data.count(b"\r\n"):
            raise ProtocolViolation("a bare line feed in the response's header section")
        self._head = data

    def _count_interim(self, status: int) -> None:
        self._interim += 1
        if status == 101:
            raise ProtocolViolation("a change of protocol that nobody asked for")
        if self._interim > MAX_INTERIM:
            raise ProtocolViolation("too many interim responses")
        if self._announced >= 0 or self._coded:
            raise ProtocolViolation("an interim response that announces a body")
        self._clear()

    def _begin_body(self) -> None:
        if self._for_head or self.status in (204, 304):
            self.done = True
        elif self._coded:
            self._remaining = _CHUNKED
        elif self._announced >= 0:
            self._remaining = self._announced
            self.done = not self._announced
        else:
            self._remaining = _UNTIL_CLOSE
            self.keep_alive = False

    def _feed_body(self, data: bytes) -> None:
        remaining = self._remaining
        if self.done or 0 <= remaining < len(data):
            raise ProtocolViolation("bytes after the end of the response")
        if remaining == _CHUNKED:
            self._feed_chunks(data)
            return
        self.pieces.append(data)
        if remaining > 0:
            self._remaining = remaining = remaining - len(data)
            self.done = not remaining

    def _feed_chunks(self, data: bytes) -> None:
        before = len(self.pieces)
        self._parse(data)
        # llhttp skips blank lines after a message in silence: the last five bytes tell whether the message ended where the data did.
        self._tail = (self._tail + data[-5:])[-5:]
        if self._trailer_done:
            if self._tail[1:] != b"\r\n\r\n" or self._tail[0] in b"\r\n":
                raise ProtocolViolation("bytes after the end of the response")
            self.done = True
        self._overhead = 0 if len(self.pieces) != before else self._overhead + len(data)
        if self._overhead > self._max_head:
            raise ProtocolViolation("chunk extensions or trailers without end")

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            cause = error.__context__
            if isinstance(cause, ProtocolViolation):
                raise cause from None
            raise ProtocolViolation(str(error)) from error

    # What the parser calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a field of the head; fields of a trailer are dropped."""
        if self.head_done:
            return
        name = name.lower()
        value = value.rstrip(b" \t")
        if name in _FRAMING:
            self._note_framing(name, value)
        self.headers.append((name, value))
        if len(self.headers) > MAX_FIELDS:
            raise ProtocolViolation("too many fields in the response's header section")

    def _note_framing(self, name: bytes, value: bytes) -> None:
        if name == b"content-length":
            if self._announced >= 0 or not value.isdigit() or len(value) > 18:
                raise ProtocolViolation("more than one length, or none that can be read")
            self._announced = int(value)
        elif name == b"transfer-encoding":
            if self._coded or value.lower() != b"chunked":
                raise ProtocolViolation("a transfer coding other than chunked")
            self._coded = True
        elif b"close" in value.lower():
            self.keep_alive = False

    def on_body(self, data: bytes) -> None:
        """Keep a piece of a chunked body. (A body of known length never reaches the parser.)"""
        self.pieces.append(data)

    def on_message_complete(self) -> None:
        """Note the end of a chunked body, or of a head without one."""
        self._trailer_done = self.head_done

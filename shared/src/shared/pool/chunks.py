"""Reads a body that is sent in chunks, and says whether it ended exactly where the bytes did."""

from typing import Any

import httptools

from shared.pool.errors import ProtocolViolation

_CHUNKED_HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


class ChunkReader:
    """Feed it what follows the head; it adds to `pieces` and sets `done`. Raises ProtocolViolation. Trailer fields are dropped.

    `most` bounds what comes between two pieces of the body: chunk extensions, and the trailer.
    """

    __slots__ = ("_between", "_ends", "_most", "_parser", "_pieces", "_started", "_tail", "done")

    def __init__(self, pieces: list[bytes], most: int) -> None:
        self._pieces = pieces
        self._most = most
        self._between = 0
        self._tail = b""
        self._started = self._ends = 0
        self.done = False
        self._parser: Any = httptools.HttpResponseParser(self)
        self._parser.feed_data(_CHUNKED_HEAD)

    def feed(self, data: bytes) -> None:
        """Read on."""
        before = len(self._pieces)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise ProtocolViolation(f"not a body in chunks: {error}") from error
        self._between = 0 if len(self._pieces) != before else self._between + len(data)
        if self._between > self._most:
            raise ProtocolViolation("chunk extensions or trailers without end")
        # The parser skips blank lines after a message in silence; the last five bytes tell whether there were any.
        self._tail = (self._tail + data[-5:])[-5:]
        if self._started > 1 or (self._ends and (self._tail[1:] != b"\r\n\r\n" or self._tail[0] in b"\r\n")):
            raise ProtocolViolation("bytes after the end of the response")
        self.done = self._ends == 1

    def on_message_begin(self) -> None:
        """Called once for the head that stands in for the real one; a second time for bytes that do not belong here."""
        self._started += 1

    def on_body(self, data: bytes) -> None:
        """Keep a piece."""
        self._pieces.append(data)

    def on_message_complete(self) -> None:
        """The last chunk and its trailer are read."""
        self._ends += 1

"""How an answer is written: at once, where it is there at once.

uvicorn writes an answer's head before it knows the body: two system calls, and two packets, for what is one piece most of the time.
"""

import asyncio
import socket
import struct
import sys
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle


class Answer:
    """The `send` of one request: keeps the head until the first part of the body, as the ASGI specification says of servers (HTTP, Response
    Start), and writes an answer that is then complete in one piece. Everything else goes uvicorn's way, but that HTTP/1.0 is sent no
    chunks (RFC 9112, section 6.1): where the length is not known, the end of the connection ends the body.
    """

    __slots__ = ("_cycle", "_head", "_send", "_until_closed")

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._send = cycle.send
        self._head: Any = None
        self._until_closed = False

    async def __call__(self, message: Any) -> None:
        cycle, head = self._cycle, self._head
        if head is None:
            if message["type"] == "http.response.start" and not cycle.response_started:
                self._head = message
                cycle.response_started = True  # an app that fails from now on is answered by nothing at all
            else:
                if self._until_closed and not message.get("more_body", False):
                    if cycle.flow.write_paused and not cycle.disconnected:
                        await cycle.flow.drain()  # who is given up meanwhile must see that it is not all
                    cycle.expected_content_length = len(message.get("body", b""))
                    _reset_when_closed(cycle.transport, False)
                await self._send(message)
        elif message["type"] != "http.response.body":
            raise RuntimeError(f"{message['type']} behind the head of an answer")
        else:
            self._head = None
            if message.get("more_body", False):
                cycle.response_started = False
                self._until_closed = cycle.scope["http_version"] == "1.0" and b"content-length" not in dict(head["headers"])
                if self._until_closed:
                    cycle.chunked_encoding, cycle.expected_content_length = False, sys.maxsize
                    _reset_when_closed(cycle.transport, True)
                await self._send(head)
                await self._send(message)
            else:
                await self._write(head, message.get("body", b""))

    async def _write(self, start: Any, body: bytes) -> None:
        """A whole answer. Raises RuntimeError for a head that could be read in two ways, or with another length than the body's."""
        cycle = self._cycle
        if cycle.flow.write_paused and not cycle.disconnected:
            await cycle.flow.drain()
        if cycle.disconnected:
            return
        head, length, closes = _head_of(start["status"], [*cycle.default_headers, *start["headers"]])
        bodiless = cycle.scope["method"] == "HEAD" or start["status"] in (204, 304)
        if length is None and not bodiless:
            head += b"content-length: %d\r\n" % len(body)
        elif length != len(body) and not bodiless:
            raise RuntimeError("the body has another length than announced")
        cycle.keep_alive = cycle.keep_alive and not closes
        end = b"\r\n" if cycle.keep_alive or closes else b"connection: close\r\n\r\n"
        cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        cycle.transport.write(b"%b%b%b" % (head, end, b"" if bodiless else body))
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()


def _reset_when_closed(transport: asyncio.Transport, reset: bool) -> None:
    """Whether the end of a connection is a reset, so that what breaks off does not look whole (`SO_LINGER` of no time, socket(7))."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", reset, 0))


def _head_of(status: int, headers: list[tuple[bytes, bytes]]) -> tuple[bytes, int | None, bool]:
    """The status line and the fields; the length that they announce; whether they say that the connection closes."""
    head = STATUS_LINE[status] + b"\r\n".join((*map(b": ".join, headers), b""))
    if head.count(b"\n") != len(headers) + 1 or head.count(b"\r") != len(headers) + 1 or b"\0" in head:
        raise RuntimeError("a line break or NUL in a header")
    fields = dict(headers)
    if b"transfer-encoding" in fields:
        raise RuntimeError("a transfer coding is the server's own affair")
    length = fields.get(b"content-length")
    return head, None if length is None else int(length), b"close" in fields.get(b"connection", b"").lower()

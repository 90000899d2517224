"""The server reads requests as h11 does, however they are cut: what it hands to an app, h11 reads too; what h11 refuses gets no further."""

import asyncio
from collections.abc import Iterator
from typing import Any

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from uvicorn import Config
from uvicorn.server import ServerState

from shared.protocol import Protocol
from shared.testing.raw import cut

Read = tuple[bytes, bytes, bytes]
"""Method, target and body."""

TOKEN = st.text("abcdefghijklmnopqrstuvwxyzXYZ0123456789-_!#$%&'*+.^`|~", min_size=1, max_size=12).map(lambda text: ("x-" + text).encode())
VALUE = st.text('abcXYZ019 \t,;="()<>@/?{}', max_size=20).map(lambda text: text.strip(" \t").encode("latin-1"))
CUTS = st.lists(st.integers(1, 60), min_size=1, max_size=8)
DAMAGE = [b"\n", b"\r", b"\0", b" ", b":", b"\r\n", b"\x7f", b"1", b"\t", b",", b"x"]
FRAMING = [
    b"Content-Length: 2\r\n",
    b"Content-Length: +2\r\n",
    b"Content-Length: 2, 2\r\n",
    b"Content-Length: 0x2\r\n",
    b"Content-Length: 99999999999999999999\r\n",
    b"Content-Length : 2\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: chunked, chunked\r\n",
    b"Transfer-Encoding: identity\r\n",
    b"Transfer-Encoding: xchunked\r\n",
    b"Transfer-Encoding:\x0bchunked\r\n",
    b"Connection: close\r\n",
    b"",
]


class Server:
    """One server in a loop of its own, and what its app was handed last."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._runner.run(self._start())

    async def _start(self) -> None:
        self.heard: list[Read] = []
        config = Config(
            self._app, interface="asgi3", loop="asyncio", http=Protocol, ws="none", lifespan="off", log_config=None, proxy_headers=False
        )
        config.load()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Protocol(config, ServerState(), {}), "127.0.0.1", 0)
        self._port = self._server.sockets[0].getsockname()[1]

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        query = b"?" + scope["query_string"] if scope["query_string"] else b""
        self.heard.append((scope["method"].encode(), scope["raw_path"] + query, body))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    def read(self, pieces: list[bytes]) -> list[Read]:
        """What the app is handed of these bytes, on a connection that ends after them."""
        self.heard = []
        self._runner.run(self._send(pieces))
        return self.heard

    async def _send(self, pieces: list[bytes]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        async with asyncio.timeout(20):
            try:
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
                writer.write_eof()
                while await reader.read(65_536):
                    pass
            except OSError:  # it was refused before its end
                pass
            finally:
                writer.transport.abort()
                await asyncio.sleep(0)

    def stop(self) -> None:
        self._server.close()
        self._runner.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    found = Server()
    yield found
    found.stop()


def theirs(data: bytes) -> list[Read]:
    """The whole requests that h11 reads. Empty lines before one are passed over, as RFC 9112 (2.2) has it and h11 does not."""
    found = list[Read]()
    while data:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        connection.receive_data(data.lstrip(b"\r\n"))
        one = _first(connection)
        if one is None:
            return found
        found.append(one)
        connection.send(h11.Response(status_code=200, headers=[(b"content-length", b"0")]))
        connection.send(h11.EndOfMessage())
        data = b"" if connection.our_state is h11.MUST_CLOSE else connection.trailing_data[0]
    return found


def _first(connection: h11.Connection) -> Read | None:
    """The whole request, None for one that is none or has no end."""
    method = target = body = b""
    try:
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if isinstance(event, h11.Request):
                method, target = event.method, event.target
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            else:
                return None
    except h11.RemoteProtocolError:
        return None
    return method, target, body


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A correct request."""
    fields = b"".join(b"%b: %b\r\n" % field for field in draw(st.lists(st.tuples(TOKEN, VALUE), max_size=4)))
    head = b"%b /%b HTTP/1.1\r\nHost: x\r\n%b" % (
        draw(st.sampled_from([b"GET", b"POST", b"DELETE"])),
        draw(st.sampled_from([b"", b"a?b=c"])),
        fields,
    )
    body = draw(st.binary(max_size=60))
    match draw(st.sampled_from(["none", "length", "chunks"])):
        case "length":
            return head + b"Content-Length: %d\r\n\r\n" % len(body) + body
        case "chunks":
            pieces = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in cut(body, draw(CUTS)))
            return head + b"Transfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n"
        case _:
            return head + b"\r\n"


@settings(max_examples=100, deadline=None)
@given(st.lists(requests(), min_size=1, max_size=3), CUTS)
def test_whole_requests(server: Server, several: list[bytes], sizes: list[int]) -> None:
    data = b"".join(several)
    assert server.read(cut(data, sizes)) == theirs(data)
    assert len(theirs(data)) == len(several)


@settings(max_examples=100, deadline=None)
@given(requests(), CUTS, st.data())
def test_truncated_requests_are_not_handed_on(server: Server, whole: bytes, sizes: list[int], data: st.DataObject) -> None:
    part = whole[: data.draw(st.integers(0, len(whole) - 1))]
    assert server.read(cut(part, sizes)) == theirs(part) == []


@settings(max_examples=200, deadline=None)
@given(st.lists(requests(), min_size=1, max_size=2), CUTS, st.data())
def test_what_h11_refuses_in_a_damaged_request_is_not_handed_on(
    server: Server, several: list[bytes], sizes: list[int], data: st.DataObject
) -> None:
    """Damaged behind its request line: there httptools takes more blanks than one, as RFC 9112 (3) allows."""
    first, *others = several
    place = data.draw(st.integers(first.index(b"\r\n"), len(first) - 1))
    damaged = first[:place] + data.draw(st.sampled_from(DAMAGE)) + first[place + data.draw(st.integers(0, 1)) :] + b"".join(others)
    heard, read = server.read(cut(damaged, sizes)), theirs(damaged)
    assert heard == read[: len(heard)]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(FRAMING), max_size=3), CUTS)
def test_no_request_is_hidden_in_anothers_body(server: Server, framing: list[bytes], sizes: list[int]) -> None:
    data = b"POST /a HTTP/1.1\r\nHost: x\r\n" + b"".join(framing) + b"\r\n2\r\nhi\r\n0\r\n\r\nGET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
    heard, read = server.read(cut(data, sizes)), theirs(data)
    assert heard == read[: len(heard)]

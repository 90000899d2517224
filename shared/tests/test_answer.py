"""How an answer reaches the wire: in one piece where it is one, and never so that two readers could read it differently."""

import asyncio
import gc
from collections.abc import Sequence
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from shared.protocol import Protocol

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
HEAD = GET.replace(b"GET", b"HEAD")
CLOSING = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
LENGTH = (b"content-length", b"4")


class Transport(asyncio.Transport):
    """Keeps what is written, a piece a call."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False
        self.ended = False
        """Whether the server had closed it when the app was done."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def get_write_buffer_size(self) -> int:
        return 0


def start(*headers: tuple[bytes, bytes], status: int = 200) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def part(body: bytes, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more}


async def written(request: bytes, messages: Sequence[dict[str, Any]], pause: float = 0.0) -> Transport:
    """What a server writes for an app that answers a request with these messages, and lets others run for `pause` seconds after each."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)
            await asyncio.sleep(pause)

    transport = Transport()
    state = ServerState()
    protocol = Protocol(Config(app, log_config=None, access_log=False), state, {}, asyncio.get_running_loop())
    protocol.connection_made(transport)
    protocol.data_received(request)
    await asyncio.gather(*state.tasks)
    transport.ended = transport.closed
    protocol.connection_lost(None)
    return transport


@pytest.mark.parametrize("headers", [(LENGTH,), ()], ids=["with its length", "without"])
async def test_a_whole_answer_is_written_at_once(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    transport = await written(GET, [start((b"etag", b'"1"'), *headers), part(b"body")])
    assert transport.written == [b'HTTP/1.1 200 OK\r\netag: "1"\r\ncontent-length: 4\r\n\r\nbody']
    assert not transport.ended


@pytest.mark.parametrize(
    ("request_", "messages", "answer"),
    [
        (HEAD, [start(LENGTH), part(b"")], b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n"),
        (HEAD, [start(LENGTH), part(b"body")], b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n"),
        (GET, [start(status=204), part(b"")], b"HTTP/1.1 204 No Content\r\n\r\n"),
        (GET, [start((b"etag", b'"1"'), status=304), part(b"")], b'HTTP/1.1 304 Not Modified\r\netag: "1"\r\n\r\n'),
    ],
)
async def test_an_answer_without_a_body_is_its_head(request_: bytes, messages: list[dict[str, Any]], answer: bytes) -> None:
    assert (await written(request_, messages)).written == [answer]


@pytest.mark.parametrize(("request_", "headers"), [(CLOSING, ()), (GET, ((b"connection", b"close"),))], ids=["the client", "the app"])
async def test_a_connection_ends_when_either_side_says_so(request_: bytes, headers: tuple[tuple[bytes, bytes], ...]) -> None:
    transport = await written(request_, [start(LENGTH, *headers), part(b"body")])
    (answer,) = transport.written
    assert answer.lower().count(b"connection: close\r\n") == 1
    assert transport.ended


async def test_a_streamed_answer_goes_piece_by_piece() -> None:
    transport = await written(GET, [start(), part(b"a", more=True), part(b"b", more=True), part(b"")], pause=0.001)
    assert b"".join(transport.written) == b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n"
    assert len(transport.written) == 3, "a piece waited for the next"


@pytest.mark.parametrize("last", [b"", b"c"])
async def test_a_streamed_answer_to_http_1_0_ends_with_the_connection(last: bytes) -> None:
    """It knows no chunks (RFC 9112, section 6.1), which would be part of the body to who reads it."""
    request = GET.replace(b"HTTP/1.1", b"HTTP/1.0")
    transport = await written(request, [start(), part(b"a", more=True), part(b"b", more=True), part(last)], pause=0.001)
    assert b"".join(transport.written) == b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nab" + last
    assert transport.ended
    transport = await written(request, [start(LENGTH), part(b"bo", more=True), part(b"dy")])
    assert b"".join(transport.written) == b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nbody"


@pytest.mark.parametrize(
    "messages",
    [
        [start(LENGTH), part(b"bod")],
        [start(LENGTH), part(b"bodys")],
        [start((b"location", b"/a\r\nset-cookie: b")), part(b"")],
        [start((b"x\n", b"a")), part(b"")],
        [start((b"x", b"a\0")), part(b"")],
        [start((b"transfer-encoding", b"chunked")), part(b"body")],
        [start(LENGTH), start(LENGTH), part(b"body")],
        [part(b"body")],
        [start(LENGTH)],
    ],
    ids=["short", "long", "line break", "line feed", "NUL", "coding", "two heads", "no head", "no body"],
)
async def test_an_answer_that_could_be_read_in_two_ways_is_not_given(messages: list[dict[str, Any]]) -> None:
    transport = await written(GET, messages)
    told = b"".join(transport.written)
    assert told == b"" or told.startswith(b"HTTP/1.1 500 ")
    assert transport.ended


async def test_no_request_leaves_anything_for_the_garbage_collector() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start(LENGTH))
        await send(part(b"body"))

    state = ServerState()
    protocol = Protocol(Config(app, log_config=None, access_log=False), state, {}, asyncio.get_running_loop())
    protocol.connection_made(Transport())
    gc.collect()
    gc.disable()
    try:
        for _ in range(100):
            protocol.data_received(GET)
            await asyncio.gather(*state.tasks)
        assert gc.collect() < 100
    finally:
        gc.enable()
    protocol.connection_lost(None)

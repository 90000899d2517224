"""What a server says to bytes that are no request, and how much of them it keeps."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from shared.protocol import MAX_HEAD, MOST_LINGERING, Protocol
from shared.testing.processes import Process

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
CHUNK = b"x" * 32_768


async def answer(server: Process, *pieces: bytes) -> tuple[int, dict[str, Any]]:
    """Status and problem of what comes back before the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        async with asyncio.timeout(20):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.transport.abort()
    assert b"content-type: application/problem+json" in head.lower()
    return int(head.split(b" ")[1]), json.loads(body)


@pytest.mark.parametrize(
    "request_",
    [
        POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        GET + b"X: a\r\n b\r\n\r\n",
        GET + b"X : a\r\n\r\n",
        GET.replace(b"\r\n", b"\n") + b"\n",
        b"\x16\x03\x01\x02\x00",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /\r\n\r\n",
        GET + b"Host: localhost\r\n\r\n",
        "GET /?q=Inês HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(),
    ],
)
async def test_what_is_no_request_is_a_problem(server: Process, request_: bytes) -> None:
    status, problem = await answer(server, request_)
    assert (status, problem["status"], problem["type"]) == (400, 400, "urn:roster:problem:bad-request")
    assert problem["request_id"]


@pytest.mark.parametrize(
    ("request_", "word"),
    [("GET /?q=Inês HTTP/1.1\r\nHost: localhost\r\n\r\n", "percent-encoded"), ("FOO / HTTP/1.1\r\nHost: localhost\r\n\r\n", "method")],
)
async def test_a_usual_slip_is_named(server: Process, request_: str, word: str) -> None:
    assert word in (await answer(server, request_.encode()))[1]["detail"]


async def test_other_versions_are_not_spoken(server: Process) -> None:
    status, problem = await answer(server, b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n")
    assert (status, problem["status"]) == (505, 505)


async def test_nothing_is_connected_to(server: Process) -> None:
    status, problem = await answer(server, b"CONNECT localhost:5432 HTTP/1.1\r\nHost: localhost\r\n\r\n" + GET + b"\r\n")
    assert (status, problem["status"]) == (501, 501)


@pytest.mark.parametrize(
    "pieces",
    [
        [GET + b"X: " + b"a" * (MAX_HEAD + 1) + b"\r\n\r\n"],
        [GET + b"X: ", *[CHUNK] * 3, b"\r\n\r\n"],
        [GET + b"X: ", CHUNK, CHUNK, CHUNK + b"\r\nContent-Length: 4\r\n\r\nbody"],
        [GET, *[b"".join(b"X%d: a\r\n" % number for number in range(8_000))] * 2, b"\r\n"],
        [b"GET /?", *[CHUNK] * 3, b" HTTP/1.1\r\nHost: localhost\r\n\r\n"],
    ],
    ids=["at once", "one long header", "complete, and a body", "many headers", "target"],
)
async def test_a_head_has_a_bound(server: Process, pieces: list[bytes]) -> None:
    status, problem = await answer(server, *pieces)
    assert (status, problem["type"]) == (431, "urn:roster:problem:request-header-fields-too-large")


MANY = b"".join(b"X%d: a\r\n" % number for number in range(3_000))
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(("begun", "endless"), [(b"0\r\n", MANY), (b"0\r\nX: ", CHUNK), (b"1;", CHUNK)], ids=["many", "long", "extension"])
@pytest.mark.parametrize("answered", [False, True])
async def test_what_is_no_body_in_a_body_has_a_bound(begun: bytes, endless: bytes, answered: bool) -> None:
    """Trailers are dropped, but one that has no end would be kept until it had."""
    loop, transport = Loop(), Transport()
    connection = idle_connection(loop, transport)
    connection.data_received(CHUNKED + begun)
    if answered:
        connection.cycle.response_started = connection.cycle.response_complete = True
        connection.on_response_complete()
    for _ in range(MAX_HEAD // len(endless) + 1):
        assert not transport.is_closing()
        connection.data_received(endless)
    connection.data_received(endless)
    assert transport.is_closing()


async def test_a_head_within_the_bound_is_read_however_it_comes(server: Process) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(POST + b"Content-Length: 98304\r\n\r\n")  # a long body and two heads behind it, one of them in pieces
    for piece in (CHUNK, CHUNK, CHUNK + GET + b"\r\n" + GET + b"X: ", b"a" * (MAX_HEAD - 200), b"\r\nConnection: close\r\n\r\n"):
        writer.write(piece)
        await writer.drain()
    async with asyncio.timeout(20):
        assert (await reader.read()).count(b"HTTP/1.1 200") == 2
    writer.close()


class Loop:
    """Only what a connection asks of its loop: to be called later."""

    def __init__(self) -> None:
        self.waiting: list[asyncio.TimerHandle] = []
        self.now = 0.0

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        self.waiting.append(asyncio.TimerHandle(delay, callback, (), asyncio.get_running_loop()))
        return self.waiting[-1]

    def pending(self) -> int:
        return sum(not timer.cancelled() for timer in self.waiting)

    def turn(self, now: float) -> None:
        """It is `now`, and those whose turn has come by then are called."""
        self.now = now
        waiting, self.waiting = self.waiting, []
        for timer in waiting:
            timer._run()


class Transport(asyncio.Transport):
    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    closed = False

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = close

    def get_write_buffer_size(self) -> int:
        return 0

    def can_write_eof(self) -> bool:
        return False

    def write(self, data: Any) -> None:
        """Nobody reads it."""

    def resume_reading(self) -> None:
        """It never paused."""


def idle_connection(loop: Loop, transport: Transport) -> Protocol:
    """A connection that is kept for 75 s, and whose requests do not run."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        """Answers nothing."""

    connection = Protocol(Config(app, log_config=None, timeout_keep_alive=75), ServerState(), {}, loop)
    connection._start_asgi_task = lambda *_: None  # type: ignore[method-assign]  # no request is to run
    connection.connection_made(transport)
    return connection


async def test_somebody_who_never_finishes_a_head_is_waited_for_only_so_long() -> None:
    loop = Loop()
    connection = idle_connection(loop, Transport())
    assert loop.pending() == 1, "from the connection on"
    connection.data_received(GET)
    assert loop.pending() == 1
    connection.data_received(b"\r\n")
    assert loop.pending() == 0, "the head is complete"
    connection.data_received(b"GET / HT")
    assert loop.pending() == 1, "and so for each that comes in pieces"
    connection.connection_lost(None)
    assert loop.pending() == 0


async def test_a_connection_is_kept_for_its_time_from_the_last_answer_on() -> None:
    loop, transport = Loop(), Transport()
    connection = idle_connection(loop, transport)
    for now in (0.0, 50.0):
        loop.now = now
        connection.data_received(GET + b"\r\n")
        connection.cycle.response_complete = True
        connection.on_response_complete()
    assert loop.pending() == 1, "one timer, however many requests"
    loop.turn(75.0)
    assert not transport.is_closing()
    loop.now = 100.0
    connection.data_received(GET + b"\r\n")
    loop.turn(125.0)
    assert not transport.is_closing(), "a request is under way"
    connection.on_response_complete()
    loop.turn(200.0)
    assert transport.is_closing()
    connection.connection_lost(None)
    assert loop.pending() == 0


async def test_a_refusal_is_read_by_who_is_still_sending(server: Process) -> None:
    """Closed at once, a socket with bytes unread is reset, and the answer is lost."""
    for _ in range(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(GET + b"X: " + CHUNK * 12)  # more than is read at once
        await writer.drain()
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 431")
        writer.write(CHUNK)
        await writer.drain()
        assert b"request-header-fields-too-large" in await reader.read(), "and then it is closed"
        writer.close()
        await writer.wait_closed()


async def test_who_goes_on_sending_is_not_listened_to_for_ever(server: Process) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)

    async def send() -> None:
        for _ in range(100 * MOST_LINGERING // len(CHUNK)):
            writer.write(CHUNK)
            await writer.drain()

    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        await send()
    writer.transport.abort()


async def test_a_body_that_comes_behind_its_answer_keeps_no_connection_open() -> None:
    loop, transport = Loop(), Transport()
    connection = idle_connection(loop, transport)
    connection.data_received(POST + b"Content-Length: 3\r\n\r\n")
    connection.cycle.response_complete = True
    connection.on_response_complete()
    loop.now = 50.0
    connection.data_received(b"xyz")
    loop.turn(75.0)
    assert not transport.is_closing()
    loop.turn(125.0)
    assert transport.is_closing()

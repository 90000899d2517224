"""Where a request ends, as the server reads it, whatever else it asks for and wherever a packet ends."""

import asyncio
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from shared.protocol import Protocol

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
RESET = b"(reset)"


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with what it has read of a request: its line, its fields but one, its body."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    fields = {name: value for name, value in scope["headers"] if name != b"connection"}
    said = [scope["method"], scope["path"], fields, body.decode()]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": repr(said).encode()})


async def exchange(*pieces: bytes, end: bool = True, app: Any = echo) -> bytes:
    """All that comes back for these reads of a connection, whose client then ends its side; RESET behind it where the end is none."""
    loop, state, config = asyncio.get_running_loop(), ServerState(), Config(app, log_config=None, access_log=False)
    serving = await loop.create_server(lambda: Protocol(config, state, {}, loop), "127.0.0.1", 0)
    async with serving, asyncio.timeout(20):
        reader, writer = await asyncio.open_connection(*serving.sockets[0].getsockname())
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.001)
        if end:
            writer.write_eof()
        told = b""
        try:
            while piece := await reader.read(65_536):
                told += piece
        except ConnectionResetError:
            told += RESET
        writer.transport.abort()
    return told


async def test_who_ends_behind_a_request_has_its_answer() -> None:
    """An answer that is there at once, to a client whose end comes with its request."""
    for _ in range(50):
        assert b"['GET', '/', {b'host': b'localhost'}, '']" in await exchange(GET + b"\r\n")


@pytest.mark.parametrize("length", [b"Content-Length: 4\r\n", b"Transfer-Encoding: chunked\r\n", b""], ids=["length", "chunks", "no body"])
@pytest.mark.parametrize("protocol", [b"h2c", b"websocket", b"TLS/1.0, HTTP/1.1"])
async def test_an_upgrade_is_passed_over_and_the_body_read_as_ever(length: bytes, protocol: bytes) -> None:
    """What is taken for another protocol's bytes is lost, or read as the next request."""
    body = {b"C": b"body", b"T": b"4\r\nbody\r\n0\r\n\r\n", b"": b""}[length[:1]]
    plain = POST + length + b"\r\n"
    asking = POST + b"Connection: Upgrade\r\nUpgrade: " + protocol + b"\r\n" + length + b"\r\n"
    behind = GET + b"Connection: close\r\n\r\n"
    expected = await exchange(plain + body + behind, end=False)
    whole = asking + body + behind
    for pieces in ([whole], [asking, body, behind], [asking + body[:2], body[2:] + behind], [bytes([one]) for one in whole]):
        assert await exchange(*pieces, end=False) == expected


async def test_many_upgrades_in_one_read_are_all_passed_over() -> None:
    asking = GET + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n"
    assert (await exchange(asking * 60 + GET + b"Connection: close\r\n\r\n" + b"whatever", end=False)).count(b"HTTP/1.1 200") == 61


async def test_a_trailer_is_no_field_of_the_request() -> None:
    """Whoever looked at the head has seen all of it; a proxy in front may pass trailers on that the client made."""
    trailers = b"Authorization: Bearer x\r\nX-Forwarded-For: 10.0.0.1\r\nExpect: 100-continue\r\n\r\n"
    request = POST + b"Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n" + trailers
    for pieces in ([request], [request[: -len(trailers)], trailers], [bytes([one]) for one in request]):
        told = await exchange(*pieces)
        assert b"'body'" in told
        assert not any(field in told for field in (b"authorization", b"x-forwarded-for", b"100 Continue"))


async def test_a_long_body_in_small_chunks_is_read() -> None:
    body = b"1;some-extension\r\nx\r\n" * 8_000 + b"0\r\n\r\n"
    assert b"x" * 8_000 in await exchange(POST + b"Transfer-Encoding: chunked\r\n\r\n" + body)


async def half(scope: Any, receive: Any, send: Any) -> None:
    """Begins an answer, and fails a while later."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"half of it", "more_body": True})
    await asyncio.sleep(0.05)
    raise ZeroDivisionError


async def test_no_refusal_is_written_into_an_answer() -> None:
    """Of a request behind the one that is being answered."""
    told = await exchange(GET + b"\r\n" + GET + b"\r\n", b"\x00\x01\x02\r\n\r\n", end=False, app=half)
    assert told.removesuffix(RESET).endswith(b"half of it\r\n")


async def test_a_stream_to_http_1_0_that_breaks_off_does_not_look_whole() -> None:
    assert (await exchange(GET.replace(b"1.1", b"1.0") + b"\r\n", end=False, app=half)).endswith(b"half of it" + RESET)

"""Whom a process turns away at its door, and who is served one after the other."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from shared.door import FIRST, TURN, Door
from shared.protocol import MOST_REFUSED, MOST_WAITING, Protocol
from shared.testing.processes import Process

GET = b"GET /v1/notes HTTP/1.1\r\nHost: localhost\r\n\r\n"
LIVE = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
HEAD = b"HEAD /v1/notes HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST /v1/notes HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"
MANY = 3 * TURN


@pytest.fixture
def clients(server: Process) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 30)) for _ in range(MANY)]


def answer(client: socket.socket, *, head_only: bool = False) -> tuple[int, dict[str, str], bytes]:
    """The next answer on a connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = client.recv(65_536)
        assert piece, "the connection was closed"
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    while not head_only and len(body) < int(fields["content-length"]):
        body += client.recv(65_536)
    return int(first.split()[1]), fields, body


def asked(clients: list[socket.socket], request: bytes) -> list[tuple[int, dict[str, str], bytes]]:
    for client in clients:
        client.sendall(request)
    return [answer(client, head_only=request.startswith(b"HEAD")) for client in clients]


def test_of_what_arrives_while_the_loop_stands_still_no_more_is_begun_than_fits_into_a_turn(
    server: Process, clients: list[socket.socket]
) -> None:
    for client in clients:
        assert asked([client], GET)[0][0] == 200
    with server.frozen():
        for client in clients:
            client.sendall(GET)
    found = [answer(client) for client in clients]
    served = sum(status == 200 for status, _, _ in found)
    assert TURN <= served < MANY
    refused = [(fields, body) for status, fields, body in found if status == 503]
    assert len(refused) == MANY - served
    for fields, body in refused:
        document = json.loads(body)
        assert (fields["retry-after"], fields["x-load-shed"], document["type"]) == ("1", "1", "urn:roster:problem:overloaded")
        assert fields["x-request-id"] == document["request_id"]
    assert {status for client in clients for status, _, _ in asked([client], GET)} == {200}, "a turn later it is forgotten"
    clients[0].sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert f"requests_turned_away_total {len(refused)}.0" in answer(clients[0])[2].decode()


def test_probes_are_answered_whatever_comes(server: Process, clients: list[socket.socket]) -> None:
    for client in clients:
        asked([client], LIVE)
    with server.frozen():
        for client in clients:
            client.sendall(LIVE)
    assert {answer(client)[0] for client in clients} == {200}


def test_newcomers_whose_requests_come_at_the_same_time_are_all_served(server: Process, clients: list[socket.socket]) -> None:
    with server.frozen():
        for client in clients:
            client.sendall(GET)
    assert {answer(client)[0] for client in clients} == {200}


def test_all_who_come_at_the_same_time_are_served_one_after_the_other(server: Process) -> None:
    with ExitStack() as stack:
        with server.frozen():
            clients = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 30)) for _ in range(MANY)]
            for client in clients:
                client.sendall(GET)
        assert {answer(client)[0] for client in clients} == {200}, "connections are taken no faster than their requests are begun"


def test_who_is_refused_keeps_the_connection_and_the_body_is_dropped(server: Process, clients: list[socket.socket]) -> None:
    for client in clients:
        asked([client], GET)
    with server.frozen():
        for client in clients:
            client.sendall(POST + b'{"no": 1}')
    assert 503 in {answer(client)[0] for client in clients}
    for client in clients:
        client.sendall(GET)
        assert answer(client)[0] in (200, 503)
    with server.frozen():
        for client in clients:
            client.sendall(HEAD)
    heads = [answer(client, head_only=True) for client in clients]
    assert {status for status, _, _ in heads} >= {503}
    assert not any(body for _, _, body in heads)


def door(**settings: Any) -> Door:
    return Door(lambda *told: None, lambda: False, ("/livez",), **settings)


async def test_newcomers_begin_a_few_in_a_turn_in_order_of_arrival() -> None:
    tested = door()
    begun: list[int] = []
    at_once = [tested.begin_first(lambda number=number: begun.append(number)) for number in range(3 * FIRST + 1)]  # type: ignore[misc]  # no type for a default
    assert at_once == [True] * FIRST + [False] * (2 * FIRST + 1)
    counts = [len(begun)]
    for _ in range(5):
        await asyncio.sleep(0)
        counts.append(len(begun))
    assert counts[:5] == [FIRST, 2 * FIRST, 3 * FIRST, 3 * FIRST + 1, 3 * FIRST + 1]
    assert begun == list(range(3 * FIRST + 1))
    assert tested.begin_first(lambda: begun.append(-1)), "nobody waits any more"
    assert begun[-1] == -1


async def test_those_who_wait_take_no_place_of_those_who_were_there() -> None:
    tested = door(turn=20)
    scope = {"method": "GET", "path": "/", "scheme": "http", "headers": []}
    for _ in range(100):
        tested.begin_first(lambda: None)
    for _ in range(3):
        assert [tested.refusal(scope) is None for _ in range(21)] == [True] * 20 + [False]
        await asyncio.sleep(0)


async def test_while_the_process_ends_everybody_is_let_in() -> None:
    tested = Door(lambda *told: None, lambda: True, (), turn=0)
    assert tested.refusal({"method": "GET", "path": "/", "headers": []}) is None


class OnlyTheFirst(Door):
    """Lets one request in, and nobody after it."""

    let_in = False

    def refusal(self, scope: Any) -> bytes | None:
        if self.let_in:
            return self.turn_away(scope, self._busy)
        self.let_in = True
        return None


class App:
    """Answers when it is told to."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.asked = 0
        self.go = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked += 1
        await self.go.wait()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})


@asynccontextmanager
async def served(app: App) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to it."""
    loop = asyncio.get_running_loop()
    config = Config(app, log_config=None, lifespan="off")
    config.load()
    server = await loop.create_server(lambda: Protocol(config, ServerState(), {}, loop), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    async with asyncio.timeout(60):
        yield reader, writer
    writer.transport.abort()
    server.close()
    await server.wait_closed()


async def test_whoever_sends_thousands_at_once_is_answered_some_and_then_no_more() -> None:
    app = App(door())
    async with served(app) as (reader, writer):
        writer.write(GET * 5_000)
        app.go.set()
        with suppress(ConnectionResetError):
            await reader.read()
        assert app.asked == 1 + MOST_WAITING


async def test_whoever_is_turned_away_often_in_one_read_is_cut_off() -> None:
    app = App(OnlyTheFirst(lambda *told: None, lambda: False, ()))
    async with served(app) as (reader, writer):
        app.go.set()
        writer.write(GET)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(GET * 5_000)
        with suppress(ConnectionResetError):
            await reader.read()
        assert app.door.turned_away == MOST_REFUSED + 1

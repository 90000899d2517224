"""Connections are taken a few at a time, all of them in the end, and no more than there may be."""

import asyncio
import socket
import sys
from collections.abc import Sized
from contextlib import ExitStack

import pytest

from shared.accepting import A_TURN, MOST, Acceptor


class Crowd:
    """So many connections."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count


class Peer(asyncio.Protocol):
    """Says hello to who comes."""

    made = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        Peer.made += 1
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(b"hello")
        transport.close()


@pytest.fixture
def sock() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0), backlog=200)


def serving(sock: socket.socket, connections: Sized = ()) -> Acceptor:
    Peer.made = 0
    return Acceptor(sock, Peer, connections, None, 200)


async def test_all_who_come_are_taken_a_few_in_a_turn(sock: socket.socket) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(sock.getsockname(), 10)) for _ in range(10 * A_TURN)]
        acceptor = serving(sock)
        before, turns = 0, 0
        while Peer.made < len(clients):
            await asyncio.sleep(0)
            turns += 1
            assert Peer.made - before <= 2 * A_TURN, "those of a turn, and those of the one before"
            before = Peer.made
        assert turns >= 5
        acceptor.close()
        await acceptor.wait_closed()
        assert [await asyncio.to_thread(client.recv, 100) for client in clients] == [b"hello"] * len(clients)
    sock.close()


async def test_one_too_many_is_cut_off_and_room_is_taken_again(sock: socket.socket) -> None:
    crowd = Crowd(MOST)
    acceptor = serving(sock, crowd)
    with socket.create_connection(sock.getsockname(), 10) as client:
        assert await asyncio.to_thread(client.recv, 100) == b""
    crowd.count -= 1
    with socket.create_connection(sock.getsockname(), 10) as client:
        assert await asyncio.to_thread(client.recv, 100) == b"hello"
    acceptor.close()
    acceptor.close()
    sock.close()


class Flood(asyncio.Protocol):
    """Writes more than anybody's buffers hold, and closes."""

    def __init__(self) -> None:
        self.gone = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(b"x" * 32 * 1024 * 1024)
        transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set_result(exc)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel does it")
@pytest.mark.parametrize("half_closed", [False, True])
async def test_who_takes_nothing_is_cut_off(sock: socket.socket, half_closed: bool) -> None:
    """Also when the connection is closed already, and only waits for its bytes to be taken."""
    made: asyncio.Queue[Flood] = asyncio.Queue()

    def flood() -> Flood:
        one = Flood()
        made.put_nowait(one)
        return one

    acceptor = Acceptor(sock, flood, (), None, 200, unread=0.5)
    with socket.create_connection(sock.getsockname(), 10) as client:
        if half_closed:
            client.shutdown(socket.SHUT_WR)
        async with asyncio.timeout(20):
            assert isinstance(await (await made.get()).gone, OSError)
    acceptor.close()
    sock.close()

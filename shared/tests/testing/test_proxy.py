"""The fault proxy: each fault does what its name says, and its end leaves a proxy that hands everything on."""

import socket
import threading
from collections.abc import Iterator

import pytest

from shared.testing.proxy import Bandwidth, Down, Fault, Latency, Limit, Proxy, Reset, Slicer, SlowClose, Timeout

FOR_EVER = 60.0
"""Seconds: longer than any test waits, so that it is the end of the fault that a test sees."""


class Echo:
    """Sends back what it gets, until its client has said its last; keeps the pieces as they came."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        if self._listener.fileno() >= 0:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            try:
                while piece := connection.recv(65_536):
                    self.pieces.append(piece)
                    connection.sendall(piece)
            except OSError:
                return


@pytest.fixture
def echo() -> Iterator[Echo]:
    """A server."""
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    """A proxy in front of it."""
    with Proxy(echo.port) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    """A connection that has carried something already."""
    with connect(proxy) as client:
        ask(client, b"before")
        yield client


def connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=20)


def read(client: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size and (piece := client.recv(65_536)):
        found += piece
    return found


def ask(client: socket.socket, text: bytes) -> None:
    client.sendall(text)
    assert read(client, len(text)) == text


def is_silent(client: socket.socket) -> bool:
    """Whether nothing comes for a moment, neither a byte nor an end."""
    client.settimeout(0.2)
    try:
        client.recv(1, socket.MSG_PEEK)
    except TimeoutError:
        return True
    finally:
        client.settimeout(20)
    return False


def test_without_a_fault_all_is_handed_on(proxy: Proxy) -> None:
    with connect(proxy) as client:
        threading.Thread(target=client.sendall, args=(bytes(5_000_000),)).start()
        assert read(client, 5_000_000) == bytes(5_000_000)
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
    with connect(proxy) as client:
        ask(client, b"again")


def test_latency_is_over_when_it_is_lifted(proxy: Proxy, client: socket.socket) -> None:
    with proxy.fault(Latency(FOR_EVER)):
        client.sendall(b"late")
        assert is_silent(client)
    assert read(client, 4) == b"late"
    with proxy.fault(Latency(0.01)):
        ask(client, b"a little late")


def test_a_direction_can_have_it_alone(echo: Echo, proxy: Proxy, client: socket.socket) -> None:
    with proxy.fault(Latency(FOR_EVER), "answers"):
        client.sendall(b"there, not back")
        assert is_silent(client)
        assert echo.pieces[-1] == b"there, not back"


@pytest.mark.parametrize("fault", [Bandwidth(100), Slicer(1, 0.01)], ids=["bandwidth", "slicer"])
def test_little_at_a_time(echo: Echo, proxy: Proxy, client: socket.socket, fault: Fault) -> None:
    text = bytes(range(250)) * 40
    with proxy.fault(fault):
        client.sendall(text)
        assert client.recv(1) == text[:1]
        assert sum(map(len, echo.pieces[1:])) < len(text)
    assert read(client, len(text) - 1) == text[1:]
    ask(client, b"well again")


def test_a_slow_close(proxy: Proxy, client: socket.socket) -> None:
    with proxy.fault(SlowClose(FOR_EVER)):
        client.shutdown(socket.SHUT_WR)
        assert is_silent(client)
    assert client.recv(1) == b""


def test_a_timeout_swallows_and_closes_when_its_time_is_up(echo: Echo, proxy: Proxy, client: socket.socket) -> None:
    with proxy.fault(Timeout(0.05)):
        client.sendall(b"lost")
        assert client.recv(1) == b""
    assert echo.pieces == [b"before"]


def test_a_timeout_without_end_closes_when_it_is_lifted(proxy: Proxy, client: socket.socket) -> None:
    with proxy.fault(Timeout()):
        client.sendall(b"lost")
        assert is_silent(client)
    assert client.recv(1) == b""


def test_a_reset_is_one(proxy: Proxy, client: socket.socket) -> None:
    with proxy.fault(Reset()):
        client.sendall(b"lost")
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    with connect(proxy) as again:
        ask(again, b"well again")


def test_a_limit_counts_from_its_begin(proxy: Proxy, client: socket.socket) -> None:
    with proxy.fault(Limit(5), "answers"):
        client.sendall(b"123")
        assert read(client, 3) == b"123"
        client.sendall(b"4567")
        assert read(client, 100) == b"45"


def test_down_refuses_and_cuts(proxy: Proxy, client: socket.socket) -> None:
    with proxy.fault(Down()):
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        with pytest.raises(ConnectionRefusedError):
            connect(proxy)
        assert proxy.open == 0
    with connect(proxy) as again:
        ask(again, b"well again")


def test_nobody_behind_it(echo: Echo, proxy: Proxy) -> None:
    echo.close()
    with connect(proxy) as client:
        assert client.recv(1) == b""

"""A thousand slow clients: heads that come byte by byte, bodies that do, answers that nobody reads. Others are served as before."""

import socket
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from shared.testing.memory import Growth
from shared.testing.rest import Rest
from tools.faults.directory import fill
from tools.faults.load import Load, Sample, failures, get, in_turn, ms, percentile
from tools.faults.scene import Figure, Scene

RATE = 50.0
COMING = 2.0
"""Seconds in which the slow clients come."""
TIMES = 2.0
FLOOR = 0.05
"""Aim: the others' p99 at most so many times what it was, or so many seconds: of a few milliseconds twice as many are noise."""
PEOPLE = 1_000
"""Whom an export has: a quarter of a megabyte for somebody who reads nothing of it. More would measure exports."""
PACE = 1.0
"""Seconds between two bytes of a slow client."""


def run(scene: Scene) -> Figure:
    roster = scene.roster()
    cookie = fill(roster, PEOPLE)
    rest = Rest([roster.gateway, roster.employees, roster.teams])
    alone = _others(roster.gateway.url, cookie, scene.scale.settle)
    with Growth(roster.gateway.pid) as growth, SlowClients(roster.gateway.port, cookie, scene.scale.slow_clients) as slow:
        among = _others(roster.gateway.url, cookie, scene.scale.slow)
        held = slow.held()
    gone = time.monotonic()
    rest.wait(60)
    gone = time.monotonic() - gone
    failed = failures(among)
    before, after = percentile(alone, 0.99), percentile(among, 0.99)
    line = (
        f"{scene.scale.slow_clients:,} slow clients for {scene.scale.slow:g} s ({held:,} held at the end): "
        f"{failed} of {len(among):,} others failed, p99 {ms(after)} beside {ms(before)} without them "
        f"(aim ≤ {TIMES:g} ×, or ≤ {ms(FLOOR)}); the gateway +{growth.bytes / 2**20:.0f} MB; "
        f"nothing left {gone:.1f} s after they went"
    )
    return Figure(line, not failed and after <= max(TIMES * before, FLOOR))


def _others(url: str, cookie: str, seconds: float) -> list[Sample]:
    with Load(url, RATE, in_turn([get(f"/v1/employees/{number}", cookie) for number in range(1, 101)])) as load:
        time.sleep(seconds)
    return load.samples


class SlowClients:
    """Connections to the gateway; a thread sends the next byte of each once in `PACE` seconds."""

    def __init__(self, port: int, cookie: str, count: int) -> None:
        self._port, self._cookie, self._count = port, cookie, count
        self._clients: list[tuple[socket.socket, Iterator[bytes]]] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._trickle, daemon=True)

    def __enter__(self) -> Self:
        for number in range(self._count):
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(10)
            client.connect(("127.0.0.1", self._port))
            client.setblocking(False)
            self._clients.append((client, self._bytes(number)))
            time.sleep(COMING / self._count)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._done.set()
        self._thread.join()
        for client, _ in self._clients:
            client.close()

    def held(self) -> int:
        """How many connections the gateway has not closed."""
        return sum(1 for client, _ in self._clients if not _closed(client))

    def _bytes(self, number: int) -> Iterator[bytes]:
        """Three of five send a head that never ends, one a body, one asks for much and reads nothing."""
        head = f"Host: localhost\r\nCookie: {self._cookie}\r\n"
        if number % 5 < 3:
            yield b"GET /v1/employees/1 HTTP/1.1\r\nX-Slow: "
        elif number % 5 == 3:
            yield f"POST /v1/employees HTTP/1.1\r\n{head}Content-Type: application/json\r\nContent-Length: 10000\r\n\r\n".encode()
        else:
            yield f"GET /v1/employees/export HTTP/1.1\r\n{head}\r\n".encode()
            return
        while True:
            yield b" "

    def _trickle(self) -> None:
        while True:
            for client, following in self._clients:
                if (piece := next(following, None)) is not None:
                    try:
                        client.send(piece)
                    except OSError:  # closed by the gateway, or full: this client has been slow enough
                        continue
            if self._done.wait(PACE):
                return


def _closed(client: socket.socket) -> bool:
    try:
        return client.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True

"""Takes connections from a listening socket: several in a turn of the event loop, and no more than several.

uvloop takes one a turn, so that a busy service, whose turns are long, takes fewer than come: those wait in the kernel's queue, where no
policy sees them, and when that is full for seconds until the kernel tries again. The loops that take all that have come do so while
those who are connected wait.
"""

import asyncio
import socket
import ssl
import sys
from collections.abc import Callable, Sized
from typing import Any, Final

A_TURN: Final = 8
MOST: Final = 10_000
"""Connections at a time; one more is cut off at once."""
UNREAD: Final = 60.0
"""Seconds after which the kernel cuts off a connection whose other side takes nothing of what is written to it, or is no more (RFC 5482;
Linux). Without, such a one is kept for ever, also when it is closed here and only waits for its last bytes to be taken."""
UNSENT: Final = 128 * 1024
"""Bytes that the kernel takes beyond what is on its way. With its usual megabytes, somebody who reads slowly seems to take nothing for a
minute, and then everything: at 5,000 bytes a second no step in 80 seconds, with this one at least every 26."""
REST: Final = 0.1
"""Seconds until the next attempt when the process may open no more files."""


class Acceptor:
    """Serves as soon as it is made, until `close`. `connections` are those that are open; `protocol` makes one for each; see UNREAD."""

    def __init__(
        self,
        sock: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        connections: Sized,
        context: ssl.SSLContext | None,
        backlog: int,
        unread: float = UNREAD,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._protocol = protocol
        self._connections = connections
        self._context = context
        self._begun: set[asyncio.Task[None]] = set()
        self._rest: asyncio.TimerHandle | None = None
        sock.setblocking(False)
        if sock.family != socket.AF_UNIX:  # what is accepted has these too
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT)
            if sys.platform == "linux":
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(unread * 1000))
        sock.listen(backlog)
        self._loop.add_reader(sock, self._accept)

    def close(self) -> None:
        """Take no more. Closing twice is nothing."""
        if self._rest is not None:
            self._rest.cancel()
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock)

    @property
    def begun(self) -> int:
        """Connections that were taken and are no connection yet: TLS is being agreed upon."""
        return len(self._begun)

    async def wait_closed(self) -> None:
        """Let go of who has not agreed by now; returns when they are gone."""
        for task in self._begun:
            task.cancel()
        if self._begun:
            await asyncio.wait(self._begun)

    def _accept(self) -> None:
        for _ in range(A_TURN):
            try:
                taken, _ = self._sock.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError:  # no file is left, or no memory; the loop would come back at once
                self._loop.remove_reader(self._sock)
                self._rest = self._loop.call_later(REST, self._loop.add_reader, self._sock, self._accept)
                return
            if len(self._connections) + len(self._begun) >= MOST:
                taken.close()
                continue
            task = self._loop.create_task(self._serve(taken))
            self._begun.add(task)
            task.add_done_callback(self._begun.discard)

    async def _serve(self, taken: socket.socket) -> None:
        taken.setblocking(False)
        options: dict[str, Any] = {} if self._context is None else {"ssl": self._context}
        try:
            await self._loop.connect_accepted_socket(self._protocol, taken, **options)
        except OSError:  # TLS's errors among them: whoever it was has gone, or does not speak it
            taken.close()
        except asyncio.CancelledError:
            taken.close()
            raise

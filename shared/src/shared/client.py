"""The client of one request, as the server has it: its `receive` and `send`, and how long it has let them wait."""

import time
from typing import Any, Final

from shared.pulled import until_disconnected

PATIENCE: Final = 30.0
"""Seconds in which a client may move no byte while it is its turn; a request that has no deadline is given up then."""


class Client:
    """Whoever sends the body and takes the answer. It is its turn while more of the body is waited for, or room for more of the answer."""

    __slots__ = ("_receive", "_send", "_since")

    def __init__(self, receive: Any, send: Any) -> None:
        self._receive = receive
        self._send = send
        self._since = 0.0

    async def receive(self) -> Any:
        """The next message about the body."""
        self._since = time.monotonic()
        try:
            return await self._receive()
        finally:
            self._since = 0.0

    async def send(self, message: Any) -> None:
        """Send a part of the answer."""
        self._since = time.monotonic()
        try:
            await self._send(message)
        finally:
            self._since = 0.0

    def idle(self, now: float) -> float:
        """Seconds for which it has been its turn at `now`; 0 when it is ours."""
        return now - self._since if self._since else 0.0

    async def disconnected(self) -> bool:
        """As `until_disconnected`: nothing is waited for that the client owes."""
        return await until_disconnected(self._receive)

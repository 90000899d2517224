"""What can go wrong with a request through the pool.

    PoolError                sent: whether any byte of the request was handed to the kernel
    ├── ConnectFailed        refused, unreachable, no such name or socket
    │   └── ConnectTimeout   no connection in time
    ├── PoolTimeout          every connection is busy, and none came free in time
    ├── PoolClosed           the pool was closed
    ├── ReadTimeout          the total deadline passed, or the other side moved no byte for too long
    ├── Abandoned            the reader closed the response before its end
    ├── ConnectionLost       the other side closed or reset; `stale` marks the keep-alive race
    └── ProtocolViolation    the other side sent what is not an HTTP/1.1 response, or too much of one

Until `sent`, a request of any method may be tried again. Once it was sent, only GET and HEAD may be, and
`ConnectionLost.stale` says when that is routine: a kept connection closed while the request was under way to it.
Mistakes of the caller (a forbidden header, a body of another length than announced) are ValueError.
"""


class PoolError(Exception):
    """A request failed; nothing of its connection is left. `sent` is False when no byte of it left this process."""

    def __init__(self, message: str, *, sent: bool = False) -> None:
        super().__init__(message)
        self.sent = sent


class ConnectFailed(PoolError):
    """No connection could be made; nothing was sent."""


class ConnectTimeout(ConnectFailed):
    """No connection was made within the connect timeout; nothing was sent."""


class PoolTimeout(PoolError):
    """All connections stayed in use for the whole wait timeout; nothing was sent."""


class PoolClosed(PoolError):
    """The pool was closed before or while the request ran."""


class ReadTimeout(PoolError):
    """The request's deadline passed, or no byte moved within its idle timeout.

    `theirs` is True if it was the other side's turn, and not that of who reads the response or gives the request's body.
    """

    def __init__(self, message: str, *, sent: bool = False, theirs: bool = False) -> None:
        super().__init__(message, sent=sent)
        self.theirs = theirs


class Abandoned(PoolError):
    """The response was closed before its end."""


class ConnectionLost(PoolError):
    """The connection ended before the response did."""

    def __init__(self, message: str, *, sent: bool, reused: bool, received: bool) -> None:
        super().__init__(message, sent=sent)
        self.reused = reused
        self.received = received

    @property
    def stale(self) -> bool:
        """True if a kept connection ended with no byte of an answer: the keep-alive race (RFC 9112, section 9.3.1)."""
        return self.reused and not self.received


class ProtocolViolation(PoolError):
    """The bytes that came are not a response that may be passed on; the message says which rule they break."""

    def __init__(self, message: str) -> None:
        super().__init__(message, sent=True)

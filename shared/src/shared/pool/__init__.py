"""Kept HTTP/1.1 connections to one origin, for the forwarder and as the transport of an httpx client."""

from shared.pool.encode import Body
from shared.pool.errors import (
    Abandoned,
    ConnectFailed,
    ConnectionLost,
    ConnectTimeout,
    PoolClosed,
    PoolError,
    PoolTimeout,
    ProtocolViolation,
    ReadTimeout,
)
from shared.pool.origin import Origin
from shared.pool.pool import SERVER_KEEP_ALIVE, Pool
from shared.pool.response import Response
from shared.pool.transport import PoolTransport

__all__ = [
    "SERVER_KEEP_ALIVE",
    "Abandoned",
    "Body",
    "ConnectFailed",
    "ConnectTimeout",
    "ConnectionLost",
    "Origin",
    "Pool",
    "PoolClosed",
    "PoolError",
    "PoolTimeout",
    "PoolTransport",
    "ProtocolViolation",
    "ReadTimeout",
    "Response",
]

"""How one gateway process learns within a second that another has ended a session.

The database is the truth, and by default every process asks it again for each session that is a second old. With `GATEWAY_REDIS_URL` it
asks Redis instead, for one short text an account: its stamp. A session that was read from the database under the stamp that is there now
is as the database has it. Whoever ends something of an account first marks it as changing, which removes its stamp, then writes, and then
takes away its own mark and no other's: of several at a time each has one. While there is a mark there is no stamp. Without a stamp, also
when Redis was restarted or has dropped it, the database is asked, and the first reader who finds no mark makes a new one. A stamp never
comes back.
"""

import secrets
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any, Final, Protocol

from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.errors import ServiceUnavailable

REREAD: Final = 60
"""Seconds after which the database is asked, whatever the stamp. So long after the last mark an account stays marked by a writer that was
lost or gave up."""

KEPT: Final = 86_400
"""Seconds for which a stamp is kept."""

STAMP_ANEW: Final = """
if redis.call("EXISTS", KEYS[2]) == 1 then return "" end
redis.call("SET", KEYS[1], ARGV[1], "NX", "EX", ARGV[2])
return redis.call("GET", KEYS[1])
"""


class Revocations(Protocol):
    """Both ways."""

    async def stamp(self, account_id: int) -> bytes:
        """What stands for the account as the database has it; empty when the database must be asked. Raises ServiceUnavailable."""

    def changing(self, account_id: int) -> AbstractAsyncContextManager[None]:
        """Around a write that ends something of an account. Raises ServiceUnavailable before anything is written."""


class InDatabase:
    """There is no stamp: the database is asked each time."""

    async def stamp(self, account_id: int) -> bytes:
        return b""

    def changing(self, account_id: int) -> AbstractAsyncContextManager[None]:
        return nullcontext()


class InRedis:
    """Stamps in Redis, for all processes."""

    def __init__(self, redis: Redis, log: Any) -> None:
        self._redis, self._log = redis, log
        self._stamp_anew = redis.register_script(STAMP_ANEW)

    async def stamp(self, account_id: int) -> bytes:
        stamp, marks = _keys(account_id)
        try:
            found = await self._redis.get(stamp)
            return bytes(found or await self._stamp_anew(keys=[stamp, marks], args=[_fresh(), KEPT]))
        except (RedisError, OSError) as error:
            raise ServiceUnavailable("Sessions can't be checked at the moment.") from error

    @asynccontextmanager
    async def changing(self, account_id: int) -> AsyncIterator[None]:
        (stamp, marks), mark = _keys(account_id), _fresh()
        try:
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.sadd(marks, mark)
                pipe.expire(marks, REREAD)
                pipe.delete(stamp)
                await pipe.execute()
        except (RedisError, OSError) as error:
            raise ServiceUnavailable("Sessions can't be ended at the moment.") from error
        yield  # a write that was given up may still be made: what raises leaves the mark
        try:
            taken: Any = self._redis.srem(marks, mark)
            await taken
        except (RedisError, OSError):  # it stays marked, and so the database is asked, for as long as anybody trusts an older stamp
            self._log.warning("redis did not take away the mark of an account", account_id=account_id, exc_info=True)


def _keys(account_id: int) -> tuple[str, str]:
    """Where an account's stamp is, and the set of its marks."""
    return f"roster:stamp:{account_id}", f"roster:marks:{account_id}"


def _fresh() -> bytes:
    return secrets.token_hex(8).encode()

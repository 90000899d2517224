"""How one gateway process learns within a second that another has ended a session.

The database is the truth, and by default every process asks it again for each session that is a second old. With `GATEWAY_REDIS_URL` it
asks Redis instead, for one short text an account: its stamp. A session that was read from the database under the stamp that is there now
is as the database has it. Whoever ends something of an account marks it as changing, writes, and gives it a new stamp; meanwhile, and
whenever there is no stamp (Redis was restarted, or has dropped it), the database is asked. A stamp never comes back.
"""

import secrets
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any, Final, Protocol

from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.errors import ServiceUnavailable

CHANGING: Final = b"-"
REREAD: Final = 60
"""Seconds after which the database is asked, whatever the stamp; so long an account stays marked whose writer was lost or gave up."""

KEPT: Final = 86_400
"""Seconds for which a stamp is kept."""


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

    async def stamp(self, account_id: int) -> bytes:
        key = _key(account_id)
        try:
            found = await self._redis.get(key)
            if found is None:
                await self._redis.set(key, _fresh(), nx=True, ex=KEPT)
                found = await self._redis.get(key)
        except (RedisError, OSError) as error:
            raise ServiceUnavailable("Sessions can't be checked at the moment.") from error
        return b"" if found in (None, CHANGING) else bytes(found)

    @asynccontextmanager
    async def changing(self, account_id: int) -> AsyncIterator[None]:
        key = _key(account_id)
        try:
            await self._redis.set(key, CHANGING, ex=REREAD)
        except (RedisError, OSError) as error:
            raise ServiceUnavailable("Sessions can't be ended at the moment.") from error
        yield  # a write that was given up may still be made: what raises leaves the mark
        try:
            await self._redis.set(key, _fresh(), ex=KEPT)
        except (RedisError, OSError):  # it stays marked, and so the database is asked, for as long as anybody trusts an older stamp
            self._log.warning("redis did not take the stamp of an account", account_id=account_id, exc_info=True)


def _key(account_id: int) -> str:
    return f"roster:stamp:{account_id}"


def _fresh() -> bytes:
    return secrets.token_hex(8).encode()

"""One of several processes does a thing: the one that holds its lease, a row that says until when. Whoever stops renewing it loses it.

The processes' clocks may differ by a few seconds at most. A process that was stopped in the middle of something and wakes after its lease
may still finish that one thing, so what is done under a lease must bear being done twice. What it then writes it writes only if `is_ours`.
"""

import secrets
import time
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import bindparam, delete, insert, select, update

from gateway.models import leases
from shared.db import Connection, Database, Query

SECONDS: Final = 15.0

_GET: Final = Query(select(leases.c.holder, leases.c.until).where(leases.c.name == bindparam("of")))
_ADD: Final = Query(insert(leases))
_SET: Final = Query(update(leases).where(leases.c.name == bindparam("of")).values(holder=bindparam("by"), until=bindparam("end")))
_END: Final = Query(delete(leases).where((leases.c.name == bindparam("of")) & (leases.c.holder == bindparam("by"))))


class Lease:
    """This process's hold on a name. `seconds` is how long one that is not renewed lasts."""

    def __init__(self, db: Database, name: str, *, seconds: float = SECONDS) -> None:
        self._db, self._name, self._seconds = db, name, seconds
        self._holder = secrets.token_hex(8)
        self._until = 0.0

    @property
    def left(self) -> float:
        """Seconds for which it is surely held; 0 when it is not."""
        return max(0.0, self._until - time.monotonic())

    async def hold(self, *, least: float = 0.0) -> bool:
        """Take it or keep it, with `least` seconds left or more; False when somebody else has it. Raises StoreError."""
        if self.left <= max(least, self._seconds / 2):
            asked = time.monotonic()
            self._until = asked + self._seconds if await self._db.write(self._take) else 0.0
        return self._until > 0

    def is_ours(self, conn: Connection) -> bool:
        """In a unit: whether nobody else has taken it since, and nobody can before this unit is committed."""
        row = conn.one(_GET, of=self._name)
        return row is not None and row[0] == self._holder

    async def give_up(self) -> None:
        """Let another process have it at once. Raises StoreError."""
        if self._until:
            self._until = 0.0
            await self._db.write(lambda conn: conn.run(_END, of=self._name, by=self._holder))

    def _take(self, conn: Connection) -> bool:
        row, now = conn.one(_GET, of=self._name), conn.now()
        if row is not None and row[0] != self._holder and row[1] > now:
            return False
        until = later(now, self._seconds)
        if row is None:
            conn.run(_ADD, name=self._name, holder=self._holder, until=until)
        else:
            conn.run(_SET, of=self._name, by=self._holder, end=until)
        return True


def later(moment: str, seconds: float) -> str:
    """The store's time so many seconds after another."""
    return (datetime.fromisoformat(moment) + timedelta(seconds=seconds)).isoformat(timespec="microseconds")[:26] + "Z"

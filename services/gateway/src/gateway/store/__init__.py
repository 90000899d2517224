"""What the gateway's database is asked: accounts, sessions, tokens, and to which employees accounts belong.

Reads are coroutines; writes are functions of a connection, or make one, so that the commit stands where it is asked for.
"""

from collections.abc import Callable
from typing import Any, Final

from gateway.models import log
from shared.db import Connection
from shared.idempotency import Idempotency

Unit = Callable[[Connection], Any]
IDEMPOTENCY: Final = Idempotency(log)

__all__ = ["IDEMPOTENCY", "Unit"]

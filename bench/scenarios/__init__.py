"""The scenarios by name, in the order in which they run: the import comes first, since its database serves the others."""

from collections.abc import Callable
from typing import Final

from bench.scenarios import compose, feed, hop, lag, latency, memory, past, proxy, reads, trouble, writes
from bench.scene import Figure, Scene

SCENARIOS: Final[dict[str, Callable[[Scene], list[Figure]]]] = {
    "memory": memory.measure,
    "employee": reads.employee,
    "page": reads.page,
    "create": writes.create,
    "size": reads.size,
    "time": past.measure,
    "hop": hop.measure,
    "compose": compose.measure,
    "proxy": proxy.measure,
    "latency": latency.measure,
    "trouble": trouble.measure,
    "lag": lag.measure,
    "feed": feed.measure,
}

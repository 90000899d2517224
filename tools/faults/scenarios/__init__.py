"""The scenarios by name, in the order in which they run."""

from collections.abc import Callable
from typing import Final

from tools.faults.scenarios import breaker, budget, kill, logins, matrix, modes, overload, restart, revoke, rotate, slow, stop, timing
from tools.faults.scene import Figure, Scene

SCENARIOS: Final[dict[str, Callable[[Scene], Figure]]] = {
    "stop": stop.run,
    "kill": kill.run,
    "slow": slow.run,
    "overload": overload.run,
    "restart": restart.run,
    "rotate": rotate.run,
    "logins": logins.run,
    "revoke": revoke.run,
    "timing": timing.run,
    "budget": budget.run,
    "breaker": breaker.run,
    "matrix": matrix.run,
    "modes": modes.run,
}

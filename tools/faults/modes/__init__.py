"""Degraded modes: how each looks from outside, shown by curl. Each function brings one about, shows it, and ends it again."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from tools.faults.modes import databases, gateways, services
from tools.faults.modes.stage import Stage
from tools.faults.scene import Missing, Scene


@dataclass(frozen=True)
class Mode:
    """`what` is told above its transcript; one that is `alone` begins its own stage, the others share one."""

    title: str
    what: str
    show: Callable[[Stage], None]
    alone: bool = False


MODES: Final = (
    Mode(
        "Employees is down",
        "Its own operations are a 503. Teams goes on; what it would say of people is null, and named under `_parts`.",
        services.employees_down,
    ),
    Mode("Teams is down", "The same the other way round.", services.teams_down),
    Mode(
        "Employees is slow",
        "The deadline of a request (2 s, or what it asks for) holds whatever a service does; joined answers come without the late part.",
        services.employees_slow,
    ),
    Mode("Teams is slow", "The same the other way round.", services.teams_slow),
    Mode(
        "Employees answers rubbish",
        "A 502. Nothing of it goes into a joined answer; with `Prefer: handling=strict` a missing part is an error.",
        services.employees_rubbish,
    ),
    Mode("Teams answers rubbish", "The same the other way round.", services.teams_rubbish),
    Mode(
        "A breaker is open",
        "Who fails is left alone for a while: the gateway refuses at once, and `Retry-After` says when it is worth another try.",
        services.breaker_open,
    ),
    Mode(
        "The gateway is overloaded",
        "Only so many requests are under way to a service; the others are refused at once, and those to other services do not notice.",
        services.overloaded,
        alone=True,
    ),
    Mode(
        "A database is locked", "Reads go on (WAL); a write waits for the lock as long as its request may take.", databases.database_locked
    ),
    Mode("A disk is full", "Writes are refused and leave nothing behind; reads go on.", databases.disk_full),
    Mode(
        "PostgreSQL is restarted",
        "503 while it is away, and the service says that it is not ready; it connects again by itself.",
        databases.postgresql_restarted,
        alone=True,
    ),
    Mode(
        "Redis is gone",
        "Whether a session was ended elsewhere can't be told, so nobody is let in until Redis is back; it keeps nothing of its own.",
        databases.redis_gone,
        alone=True,
    ),
    Mode(
        "One gateway process of two is gone",
        "Sessions are in the database that both share, so the other one serves them; whoever spreads the requests leaves the dead one out.",
        gateways.one_gateway_of_two,
        alone=True,
    ),
    Mode(
        "A session key is rotated",
        "Nobody notices while the old key stays behind the new one. (With several processes: first the new one behind the old one.)",
        gateways.key_rotated,
    ),
    Mode(
        "A clock is an hour off",
        "The services refuse assertions from another hour: all that they own is a 502, what the gateway owns works. Set the clock.",
        gateways.clock_off,
    ),
)


def shown(scene: Scene) -> Iterator[tuple[Mode, list[str]]]:
    """Every mode with its transcript; none for one that needs what is not installed. Raises Broken when an answer is another one."""
    stage = Stage(scene, "stage")
    stage.begin()
    for number, mode in enumerate(MODES):
        here = Stage(scene, f"stage-{number}") if mode.alone else stage
        try:
            mode.show(here)
        except Missing:
            yield mode, []
        else:
            yield mode, here.take()

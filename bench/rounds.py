"""Interleaved rounds of two sides or more, and what they come to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Protocol

from bench.load import Result
from bench.machine import cpu_seconds
from bench.scene import Scale
from shared.testing.processes import Process


class WrongAnswers(Exception):
    """A server gave wrong answers: its figures would mean nothing."""


class Measured(Protocol):
    """What can be asked of a server for the length of a round: `bench.load.Load`, `bench.wrk.Wrk`."""

    def run(self, *, seconds: float, warmup: float, cpu: Callable[[], float]) -> Result:
        """One round; `cpu` gives the CPU seconds that the server has spent so far."""


@dataclass
class Side:
    """A server and the load for it; the load is made anew for each round (credentials end)."""

    name: str
    server: Process
    load: Callable[[], Measured]


Results = list[Result]
"""The rounds of one side, in order."""


def interleave(sides: Sequence[Side], scale: Scale) -> list[Results]:
    """Rounds of all sides in turn; their results side by side. Raises WrongAnswers when a round had any error."""
    results: list[Results] = [[] for _ in sides]
    for _ in range(scale.rounds):
        for side, found in zip(sides, results, strict=True):
            found.append(_round(side, scale))
    return results


def ratio(first: Results, second: Results, of: Callable[[Result], float]) -> tuple[float, float, float]:
    """First over second, round by round: median, least, most."""
    ratios = [of(mine) / of(theirs) for mine, theirs in zip(first, second, strict=True)]
    return median(ratios), min(ratios), max(ratios)


def _round(side: Side, scale: Scale) -> Result:
    pid = side.server.pid
    result = side.load().run(seconds=scale.seconds, warmup=scale.warmup, cpu=lambda: cpu_seconds(pid))
    if result.errors or not result.count:
        raise WrongAnswers(f"{side.name}: {result.errors} errors, {result.count} good answers: {side.server.tail()}")
    return result


def rate(results: Results) -> str:
    """Requests a second: median and range."""
    rates = [result.rate for result in results]
    return f"{median(rates):,.0f}/s ({min(rates):,.0f}–{max(rates):,.0f})"


def costs(name: str, results: Results) -> str:
    """Latency, CPU of the server for a request, and how busy the load was."""
    p50, p99 = (median(result.percentile(share) for result in results) * 1e3 for share in (0.5, 0.99))
    cpu = median(result.cpu_each for result in results) * 1e6
    busy = max(result.load_cpu / result.seconds for result in results)
    return f"{name}: p50 {p50:.1f} ms, p99 {p99:.1f} ms, CPU {cpu:,.0f} µs a request (the load's own process {busy:.0%} busy)"


def median_of(results: Results, of: Callable[[Result], float]) -> float:
    return median(of(result) for result in results)


def times(found: tuple[float, float, float]) -> str:
    """A ratio: median and range."""
    return f"{found[0]:.2f} × ({found[1]:.2f}–{found[2]:.2f})"

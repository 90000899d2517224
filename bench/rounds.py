"""Interleaved rounds of two sides, and what they come to."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from bench import load
from bench.load import Load, Result
from bench.machine import cpu_seconds
from bench.scene import Scale
from shared.testing.processes import Process


class WrongAnswers(Exception):
    """A server gave wrong answers: its figures would mean nothing."""


@dataclass
class Side:
    """A server and the load for it; the load is made anew for each round (credentials end)."""

    name: str
    server: Process
    load: Callable[[], Load]


@dataclass
class Sides:
    """The rounds of two sides, in order."""

    first: list[Result]
    second: list[Result]

    def ratio(self, of: Callable[[Result], float]) -> tuple[float, float, float]:
        """First over second, round by round: median, least, most."""
        ratios = [of(mine) / of(theirs) for mine, theirs in zip(self.first, self.second, strict=True)]
        return median(ratios), min(ratios), max(ratios)


def interleave(first: Side, second: Side, scale: Scale) -> Sides:
    """Rounds of both in turn. Raises WrongAnswers when a round had any error."""
    sides = Sides([], [])
    for _ in range(scale.rounds):
        sides.first.append(_round(first, scale))
        sides.second.append(_round(second, scale))
    return sides


def _round(side: Side, scale: Scale) -> Result:
    pid = side.server.pid
    result = load.run(side.load(), seconds=scale.seconds, warmup=scale.warmup, cpu=lambda: cpu_seconds(pid))
    if result.errors or not result.latencies:
        raise WrongAnswers(f"{side.name}: {result.errors} errors, {len(result.latencies)} good answers: {side.server.tail()}")
    return result


def rate(results: list[Result]) -> str:
    """Requests a second: median and range."""
    rates = [result.rate for result in results]
    return f"{median(rates):,.0f}/s ({min(rates):,.0f}–{max(rates):,.0f})"


def costs(name: str, results: list[Result]) -> str:
    """Latency, CPU of the server for a request, and how busy the load was."""
    p50, p99 = (median(result.percentile(share) for result in results) * 1e3 for share in (0.5, 0.99))
    cpu = median(result.cpu_each for result in results) * 1e6
    busy = max(result.load_cpu / result.seconds for result in results)
    return f"{name}: p50 {p50:.1f} ms, p99 {p99:.1f} ms, CPU {cpu:,.0f} µs a request (the load's own process {busy:.0%} busy)"


def median_of(results: list[Result], of: Callable[[Result], float]) -> float:
    return median(of(result) for result in results)


def times(ratio: tuple[float, float, float]) -> str:
    return f"{ratio[0]:.2f} × ({ratio[1]:.2f}–{ratio[2]:.2f})"

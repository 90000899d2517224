"""A service that is stopped (SIGSTOP): the others answer in time, and all is well soon after it goes on."""

import time
from functools import partial

from tools.faults.directory import fill
from tools.faults.load import Load, Request, Sample, failures, get, ms, percentile, post, statuses
from tools.faults.scene import Figure, Scene

RATE = 50.0
MOST = 2.05
"""Seconds: the gateway's deadline, and 50 ms."""
AFTER = 30.0
"""Seconds in which all is well again: a breaker that has opened three times rests for up to 24."""
KINDS = ("employees", "teams", "both", "write")


def run(scene: Scene) -> Figure:
    roster = scene.roster()
    cookie = fill(roster)
    with Load(roster.gateway.url, RATE, partial(_ask, cookie)) as load:
        time.sleep(1)
        with roster.employees.frozen():
            stopped = time.monotonic()
            time.sleep(scene.scale.stop)
        goes_on = time.monotonic()
        time.sleep(min(AFTER, 2 * scene.scale.stop))
    during = [sample for sample in load.samples if stopped <= sample.at < goes_on]
    after = [sample for sample in load.samples if sample.at >= goes_on]
    failures(during)
    others = failures(sample for sample in during if KINDS[sample.number % len(KINDS)] in ("teams", "both"))
    p100, well = percentile(during, 1), well_after(after, goes_on)
    line = (
        f"employees stopped for {scene.scale.stop:g} s under {RATE:.0f} requests/s: p100 {ms(p100)} (aim ≤ {ms(MOST)}), "
        f"{statuses(sample.status for sample in during)}; {others} of teams' own failed; "
        f"the last breaker closed {well:.1f} s after it went on"
    )
    return Figure(line, p100 <= MOST and not others)


def well_after(samples: list[Sample], since: float) -> float:
    """Seconds until the last request was due that was not answered well."""
    return max((sample.at - since for sample in samples if not 200 <= sample.status < 300), default=0.0)


def _ask(cookie: str, number: int) -> Request:
    """In turn: a read of employees, one of teams, one of teams that wants employees for a part, and a write."""
    match KINDS[number % len(KINDS)]:
        case "employees":
            return get("/v1/employees/1", cookie)
        case "teams":
            return get("/v1/teams/1", cookie)
        case "both":
            return get("/v1/teams/1?expand=members", cookie)
        case _:
            name = f"new{number}"
            return post("/v1/employees", cookie, {"username": name, "email": f"{name}@roster.example"})

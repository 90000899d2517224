"""An open breaker: the gateway refuses at once, without asking the service."""

import time

from shared.testing.proxy import Down, Proxy
from tools.faults.directory import await_well, fill
from tools.faults.load import Load, failures, get, in_turn, percentile, statuses
from tools.faults.scene import Figure, Scene

RATE = 100.0
MOST = 0.005
"""Aim: the p99 at most."""
OPENS = 1.0
"""Seconds in which it opens: five failed connections are enough."""
LASTS = 2.5
"""Seconds for which it then is open at least, and some time is left."""


def run(scene: Scene) -> Figure:
    roster = scene.roster()
    proxy = scene.stack.enter_context(Proxy(roster.employees.port))
    roster.gateway.env["GATEWAY_EMPLOYEES_URL"] = proxy.url
    cookie = fill(roster)
    with proxy.fault(Down()), Load(roster.gateway.url, RATE, in_turn([get("/v1/employees/1", cookie)])) as load:
        time.sleep(OPENS)
        opened = time.monotonic()
        time.sleep(LASTS)
    await_well(roster, cookie)
    failures(load.samples)
    refused = [sample for sample in load.samples if sample.at >= opened]
    median, p99 = percentile(refused, 0.5), percentile(refused, 0.99)
    line = (
        f"{len(refused):,} requests to an open breaker at {RATE:.0f}/s: {statuses(sample.status for sample in refused)}, "
        f"{median * 1e3:.1f} ms at the median, p99 {p99 * 1e3:.1f} ms, the "
        f"client's own time included (aim: p99 ≤ {MOST * 1e3:.0f} ms)"
    )
    return Figure(line, p99 <= MOST)

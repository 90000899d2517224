"""Three times as many requests as can be answered, and back: how much of the peak is still answered, how fast, and how soon all is well."""

import time

from tools.faults.apart import apart
from tools.faults.directory import fill
from tools.faults.load import Load, Sample, closed, failures, get, in_turn, lateness, ms, percentile, statuses
from tools.faults.scenarios.stop import well_after
from tools.faults.scene import Figure, Scene

TIMES = 3.0
GOODPUT, SLOWER, RECOVERED = 0.9, 2.0, 5.0
PAGE = 200
"""People of a page: much for the service, little for the load, which has the other core."""
PEAKS = (4, 16, 32) * 2
"""Connections, each asking again as soon as it is answered: the peak is the best of these rates."""
UNLOADED = 0.1
"""The share of the peak that is no load: who comes finds the service idle nine times of ten. It is the p99 of that that counts."""


def run(scene: Scene) -> Figure:
    roster = scene.roster({"GATEWAY_RATE_LIMIT": "0"})
    target, cookie, settle = f"/v1/employees?limit={PAGE}", fill(roster, PAGE), scene.scale.settle
    url, request = roster.gateway.url, get(target, cookie)

    def load(rate: float, seconds: float) -> list[Sample]:
        with Load(url, rate, in_turn([request]), connections=2_000) as load:
            time.sleep(seconds)
        return load.samples

    peak = max(apart(closed, url, connections, settle, request) / settle for connections in PEAKS)
    unloaded = percentile(load(UNLOADED * peak, settle), 0.99)
    over = load(TIMES * peak, scene.scale.overload)
    ended = time.monotonic()
    after = load(UNLOADED * peak, 2 * RECOVERED if scene.scale.overload > RECOVERED else settle)
    good = [sample for sample in over if sample.status == 200]
    failures(over)
    goodput, admitted = len(good) / scene.scale.overload / peak, percentile(good, 0.99)
    well = well_after(after, ended)
    line = (
        f"{TIMES:g} × the peak of {peak:,.0f} pages/s for {scene.scale.overload:g} s: goodput {goodput:.0%} of it (aim ≥ {GOODPUT:.0%}), "
        f"{statuses(sample.status for sample in over)}, admitted p99 {ms(admitted)} beside {ms(unloaded)} unloaded (aim ≤ {SLOWER:g} ×), "
        f"well {well:.1f} s after (aim ≤ {RECOVERED:g} s); the load itself was {ms(lateness(over, 0.99))} late at the 99th percentile"
    )
    return Figure(line, goodput >= GOODPUT and admitted <= SLOWER * unloaded and well <= RECOVERED)

"""Three times as many requests as can be answered, and back: how much of the peak is still answered, how fast, and how soon all is well."""

import asyncio
import time

from tools.faults.directory import fill
from tools.faults.load import Load, Sample, closed, failures, get, ms, percentile, statuses
from tools.faults.scenarios.stop import well_after
from tools.faults.scene import Figure, Scene

TIMES = 3.0
GOODPUT, SLOWER, RECOVERED = 0.9, 2.0, 5.0
PAGE = 200
"""People of a page: much for the service, little for the load, which has the other core."""
CONNECTIONS = 32


def run(scene: Scene) -> Figure:
    roster = scene.roster({"GATEWAY_RATE_LIMIT": "0"})
    target, cookie, settle = f"/v1/employees?limit={PAGE}", fill(roster, PAGE), scene.scale.settle
    url = roster.gateway.url

    def load(rate: float, seconds: float) -> list[Sample]:
        with Load(url, rate, lambda number: get(target, cookie), connections=2_000) as load:
            time.sleep(seconds)
        return load.samples

    peak = asyncio.run(closed(url, CONNECTIONS, settle, get(target, cookie))) / settle
    unloaded = percentile(load(peak / 10, settle), 0.99)
    over = load(TIMES * peak, scene.scale.overload)
    ended = time.monotonic()
    after = load(peak / 10, 2 * RECOVERED if scene.scale.overload > RECOVERED else settle)
    good = [sample for sample in over if sample.status == 200]
    failures(sample for sample in over if not sample.error.startswith("PoolTimeout"))  # those waited in the load itself
    goodput, admitted = len(good) / scene.scale.overload / peak, percentile(good, 0.99)
    well = well_after(after, ended)
    line = (
        f"{TIMES:g} × the peak of {peak:,.0f} pages/s for {scene.scale.overload:g} s: goodput {goodput:.0%} of it (aim ≥ {GOODPUT:.0%}), "
        f"{statuses(sample.status for sample in over)}, admitted p99 {ms(admitted)} beside {ms(unloaded)} unloaded (aim ≤ {SLOWER:g} ×), "
        f"well {well:.1f} s after (aim ≤ {RECOVERED:g} s)"
    )
    return Figure(line, goodput >= GOODPUT and admitted <= SLOWER * unloaded and well <= RECOVERED)

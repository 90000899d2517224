"""A thousand wrong log-ins at once: they are refused, and other requests are served."""

import time
from collections.abc import Callable

import msgspec

from tools.faults.apart import Apart
from tools.faults.directory import fill
from tools.faults.load import Load, Request, Sample, all_at_once_when_told, failures, get, in_turn, ms, percentile, statuses
from tools.faults.scene import Broken, Figure, Scene

RATE = 50.0
KEPT = 8
"""Connections that the others have: who comes at the same time as the thousand stands in the kernel's queue behind them."""
TIMES = 2.0
"""Aim: the others' p99 less than so many times what it was."""


def run(scene: Scene) -> Figure:
    roster = scene.roster()
    cookie, url = fill(roster), roster.gateway.url
    alone = _others(url, cookie, lambda: time.sleep(scene.scale.settle))
    found: list[int] = []
    thousand = Apart(all_at_once_when_told, url, [_wrong(number) for number in range(scene.scale.log_ins)])

    def attack() -> None:
        until = time.monotonic() + scene.scale.settle
        found.extend(thousand.result())
        time.sleep(max(0.0, until - time.monotonic()))

    among = _others(url, cookie, attack)
    failed = failures(among)
    if not set(found) <= {401, 429, 503, 504} or not {429, 503} & set(found):
        raise Broken(f"wrong log-ins: {statuses(found)}")
    before, after = percentile(alone, 0.99), percentile(among, 0.99)
    line = (
        f"{len(found):,} wrong log-ins at once: {statuses(found)}; "
        f"{failed} of {len(among):,} others failed, their p99 {ms(after)} beside {ms(before)} "
        f"before (aim < {TIMES:g} ×)"
    )
    return Figure(line, not failed and after < TIMES * before)


def _others(url: str, cookie: str, meanwhile: Callable[[], None]) -> list[Sample]:
    with Load(url, RATE, in_turn([get(f"/v1/employees/{number}", cookie) for number in range(1, 101)]), kept=KEPT) as load:
        meanwhile()
    return load.samples


def _wrong(number: int) -> Request:
    body = msgspec.json.encode({"username": f"person{number % 20}", "password": "not the right one"})
    return Request(b"POST", b"/v1/session", [(b"content-type", b"application/json")], body)

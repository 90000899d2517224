"""The gateway's pass-through, with everything on, beside plain proxies that do nothing else; one core for each, the same upstream.

wrk asks, and nginx stands in for employees: both share the load's core and are fast enough that the gateway is what limits.
"""

from typing import Final

import httpx

from bench.machine import LOAD_CORE, SERVER_CORE
from bench.proxies import NEEDED, PLAIN, missing, nginx_upstream
from bench.rounds import Results, Side, costs, interleave, median_of, rate, ratio, times
from bench.scene import Figure, Scene
from bench.wrk import Wrk
from shared.testing.processes import Process

PATH: Final = "/v1/employees/"
BODY: Final = (
    '{"id":$1,"username":"ada.abara","email":"ada.abara@roster.example","given_name":"Ada","family_name":"Abara",'
    '"display_name":"Ada Abara","title":"Chief Executive","department":"Management","division":"Corporate",'
    '"cost_center":"CC-1001","employee_number":"E0000001","phone":"+00 555 0000001","location":"Lisbon","manager_id":null,'
    '"status":"active","hired_on":"2010-04-01","left_on":null,"external_id":"synthetic-1","version":1,'
    '"created_at":"2026-11-22T07:49:09.123456Z","updated_at":"2026-11-22T07:49:09.123456Z"}'
)
TARGETS: Final = {"nginx": 0.4, "fastify": 1.0}
"""Ours over theirs, in requests a second."""


def measure(scene: Scene) -> list[Figure]:
    lacking = missing("wrk", *NEEDED.values())
    if lacking:
        return [Figure.unmeasured("proxy", "pass-through beside plain proxies", lacking)]
    with scene:
        upstream = nginx_upstream(scene, LOAD_CORE, BODY)
        gateway, cookie = ours(scene, upstream)
        sides = [plain("ours", gateway, scene, {"Cookie": cookie})]
        sides += [plain(name, start(scene, upstream), scene, {}) for name, start in PLAIN.items()]
        mine, *others = interleave(sides, scene.scale)
    return [_figure(name, mine, theirs) for name, theirs in zip(PLAIN, others, strict=True)]


def _figure(name: str, mine: Results, theirs: Results) -> Figure:
    rates = ratio(mine, theirs, lambda result: result.rate)
    cpu = median_of(mine, lambda result: result.cpu_each) / median_of(theirs, lambda result: result.cpu_each)
    target = TARGETS.get(name)
    goal, reached = ("–", True) if target is None else (f"≥ {target} ×", rates[0] >= target)
    notes = [costs("ours", mine)] if name == next(iter(PLAIN)) else []
    notes += [costs(name, theirs), f"CPU of a request: ours {cpu:.1f} × that of {name}"]
    return Figure("proxy", f"pass-through beside {name}", goal, rate(mine), rate(theirs), times(rates), reached, notes)


def ours(scene: Scene, upstream: Process) -> tuple[Process, str]:
    """The gateway, and the cookie of a session; its log of requests goes to a file."""
    roster = scene.roster()
    roster.gateway.core = SERVER_CORE
    roster.gateway.env["GATEWAY_EMPLOYEES_URL"] = upstream.url
    roster.start("gateway")
    return roster.gateway, roster.log_in()


def plain(name: str, server: Process, scene: Scene, headers: dict[str, str]) -> Side:
    """A server asked by wrk, once its answer was found to be right."""
    answer = httpx.get(f"{server.url}{PATH}7", headers=headers)
    assert answer.json()["id"] == 7, f"{name}: {answer.text}"
    folder = scene.subfolder("wrk")
    return Side(name, server, lambda: Wrk(server.port, PATH, {"Accept": "application/json", **headers}, folder))

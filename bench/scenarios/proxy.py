"""The gateway's pass-through, with everything on, beside plain proxies that do nothing else; one core for each, the same upstream.

wrk asks, and nginx stands in for employees: both share the load's core and are fast enough that the gateway is what limits.
"""

from collections.abc import Callable
from typing import Final

import httpx

from bench.machine import LOAD_CORE, SERVER_CORE
from bench.proxies import NEEDED, PLAIN, missing, nginx_upstream
from bench.rounds import Side, costs, interleave, median_of, rate, ratio, times
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
        return [
            Figure(
                "proxy",
                "pass-through beside plain proxies",
                "–",
                "–",
                "–",
                "–",
                False,
                [f"not measured: make bench-peers installs {lacking}"],
            )
        ]
    with scene:
        upstream = nginx_upstream(scene, LOAD_CORE, BODY)
        sides = [ours(scene, upstream), *(_plain(scene, upstream, name) for name in PLAIN)]
        found = dict(zip([side.name for side in sides], interleave(sides, scene.scale), strict=True))
    mine = found["ours"]
    figures = []
    for name in PLAIN:
        theirs = found[name]
        rates = ratio(mine, theirs, lambda result: result.rate)
        cpu = median_of(mine, lambda result: result.cpu_each) / median_of(theirs, lambda result: result.cpu_each)
        target = TARGETS.get(name)
        notes = [costs(name, theirs), f"CPU of a request: ours {cpu:.1f} × that of {name}"]
        if name == "nginx":
            notes.insert(0, costs("ours", mine))
        goal, reached = ("–", True) if target is None else (f"≥ {target} ×", rates[0] >= target)
        figures.append(Figure("proxy", f"pass-through beside {name}", goal, rate(mine), rate(theirs), times(rates), reached, notes))
    return figures


def ours(scene: Scene, upstream: Process) -> Side:
    """The gateway with a session; its log of requests goes to a file."""
    roster = scene.roster()
    roster.gateway.core = SERVER_CORE
    roster.gateway.env["GATEWAY_EMPLOYEES_URL"] = upstream.url
    roster.start("gateway")
    return _side("ours", roster.gateway, scene, {"Cookie": roster.log_in()})


def _plain(scene: Scene, upstream: Process, name: str) -> Side:
    return _side(name, PLAIN[name](scene, upstream), scene, {})


def _side(name: str, server: Process, scene: Scene, headers: dict[str, str]) -> Side:
    answer = httpx.get(f"{server.url}{PATH}7", headers=headers)
    assert answer.json()["id"] == 7, f"{name}: {answer.text}"
    folder = scene.subfolder("wrk")
    load: Callable[[], Wrk] = lambda: Wrk(server.port, PATH, {"Accept": "application/json", **headers}, folder)  # noqa: E731
    return Side(name, server, load)

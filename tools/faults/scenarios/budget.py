"""The longest time that the gateway takes for an answer while one link, or the process behind it, has a fault."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import httpx

from shared.testing.processes import Roster
from shared.testing.proxy import Bandwidth, Down, Fault, Latency, Limit, Proxy, Reset, Slicer, SlowClose, Timeout
from tools.faults.directory import await_well, fill
from tools.faults.load import ms
from tools.faults.scene import Broken, Figure, Scene

BUDGET, OVER = 2.0, 0.05
ALLOWED = {200, 201, 502, 503, 504}
FAULTS: dict[str, Fault] = {
    "latency": Latency(60),
    "half a second": Latency(0.25),
    "down": Down(),
    "bandwidth": Bandwidth(200),
    "slow close": SlowClose(1),
    "timeout": Timeout(),
    "reset": Reset(),
    "slicer": Slicer(50, 0.001),
    "limit": Limit(100),
}
AT_ONCE = 4


def run(scene: Scene) -> Figure:
    roster = scene.roster()
    proxy = scene.stack.enter_context(Proxy(roster.employees.port))
    roster.gateway.env["GATEWAY_EMPLOYEES_URL"] = proxy.url
    cookie = fill(roster)
    longest = {name: _longest(scene, roster, cookie, proxy.fault(fault)) for name, fault in FAULTS.items()}
    longest["stopped"] = _longest(scene, roster, cookie, roster.employees.frozen())
    worst = max(longest, key=lambda name: longest[name])
    told = ", ".join(f"{name} {ms(seconds)}" for name, seconds in longest.items())
    line = (
        f"longest of {scene.scale.requests} answers under each fault between gateway and employees: {told}; "
        f"worst {ms(longest[worst])} (aim ≤ {ms(BUDGET + OVER)})"
    )
    return Figure(line, longest[worst] <= BUDGET + OVER)


def _longest(scene: Scene, roster: Roster, cookie: str, fault: AbstractContextManager[None]) -> float:
    """Seconds, of reads, joined reads and writes in turn; the client's own part of them counts too."""
    with fault, ThreadPoolExecutor(AT_ONCE) as pool:
        longest = max(pool.map(lambda number: _ask(roster, cookie, number), range(scene.scale.requests)))
    await_well(roster, cookie)
    return longest


def _ask(roster: Roster, cookie: str, number: int) -> float:
    name = f"budget{number}"
    method, path, body = (
        ("GET", f"/v1/employees/{number + 1}", None),
        ("GET", "/v1/teams/1?expand=members", None),
        ("POST", "/v1/employees", {"username": name, "email": f"{name}@roster.example"}),
    )[number % 3]
    with httpx.Client(base_url=roster.gateway.url, headers={"Cookie": cookie}, timeout=30) as client:
        answer = client.request(method, path, json=body)
        if answer.status_code not in ALLOWED | {409}:  # 409: a write of the fault before this one has come through
            raise Broken(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.elapsed.total_seconds()

"""The gateway's pass-through of an employee by id, beside the same hop with FastAPI and httpx.

Both ask the same stand-in for employees, which shares the load's core, so that the gateway is what limits.
"""

import sys
from collections.abc import Callable

from itsdangerous import URLSafeTimedSerializer

from bench.load import Load
from bench.machine import LOAD_CORE, SERVER_CORE
from bench.rounds import Side, costs, interleave, rate, ratio, times
from bench.scene import Figure, Scene
from shared.testing.processes import Process

LEAST = 10.0
MakeLoad = Callable[[Process, str], Callable[[], Load]]
"""Of a gateway and the cookie of who asks it."""

SECRET = "the peer's secret, of the same length as ours"


def measure(scene: Scene) -> list[Figure]:
    with scene:
        upstream = upstream_of(scene)
        mine, theirs = interleave([ours(scene, upstream, _load), peer(scene, upstream, _load)], scene.scale)
    found = ratio(mine, theirs, lambda result: result.rate)
    cpu = ratio(mine, theirs, lambda result: 1 / max(result.cpu_each, 1e-9))
    notes = [
        costs("ours", mine),
        costs("peer", theirs),
        f"CPU of the gateway a request: {cpu[0]:.1f} × less than the peer's",
    ]
    notes.append("the upstream is a stand-in on the load's core; when load and upstream together fill it, ours is limited by them")
    what = "pass-through of an employee by id"
    return [Figure("hop", what, f"≥ {LEAST:.0f} ×", rate(mine), rate(theirs), times(found), found[0] >= LEAST, notes)]


def upstream_of(scene: Scene) -> Process:
    """The stand-in for both services, on the load's core."""
    folder = scene.subfolder("upstream")
    process = Process("upstream", [], folder)
    process.command = [sys.executable, "-m", "bench.peer.upstream", str(process.port)]
    process.core = LOAD_CORE
    return scene.started(process)


def ours(scene: Scene, upstream: Process, load: MakeLoad) -> Side:
    """Our gateway in front of the stand-in, and someone who is logged in."""
    roster = scene.roster()
    roster.gateway.core = SERVER_CORE
    roster.gateway.env |= {"GATEWAY_EMPLOYEES_URL": upstream.url, "GATEWAY_TEAMS_URL": upstream.url}
    roster.start("gateway")
    return Side("ours", roster.gateway, load(roster.gateway, roster.log_in()))


def peer(scene: Scene, upstream: Process, load: MakeLoad) -> Side:
    """The same of the peer's."""
    env = {"PEER_SECRET": SECRET, "PEER_UPSTREAM": upstream.url, "PEER_BEARER": scene.roster().bearer("employees")}
    gateway = scene.uvicorn("bench.peer.gateway:app", scene.subfolder("peer"), env)
    return Side("peer", gateway, load(gateway, f"session={URLSafeTimedSerializer(SECRET).dumps({'account': 1})}"))


def _load(gateway: Process, cookie: str) -> Callable[[], Load]:
    head = f"HTTP/1.1\r\nHost: 127.0.0.1:{gateway.port}\r\nAccept: application/json\r\nCookie: {cookie}\r\n\r\n"
    tail = f" {head}".encode()
    return lambda: Load(
        gateway.port,
        lambda n: b"GET /v1/employees/%d%b" % (n + 1, tail),
        lambda n, status, body: status == 200 and body.startswith(b'{"id":%d,' % (n + 1)),
    )

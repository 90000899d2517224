"""A search, for which the gateway asks both services at once and joins their answers, beside the same with FastAPI and httpx."""

from collections.abc import Callable

from itsdangerous import URLSafeTimedSerializer

from bench.load import Load
from bench.machine import SERVER_CORE
from bench.rounds import Side, costs, interleave, rate, ratio, times
from bench.scenarios.hop import SECRET, upstream_of
from bench.scene import Figure, Scene
from shared.testing.processes import Process

LEAST = 5.0
FOUND = 10
"""People, and teams, that an answer holds."""


def measure(scene: Scene) -> list[Figure]:
    with scene:
        upstream = upstream_of(scene)
        ours, peer = interleave([_ours(scene, upstream), _peer(scene, upstream)], scene.scale)
    found = ratio(ours, peer, lambda result: result.rate)
    notes = [costs("ours", ours), costs("peer", peer)]
    what = "a search: two calls, joined"
    return [Figure("compose", what, f"≥ {LEAST:.0f} ×", rate(ours), rate(peer), times(found), found[0] >= LEAST, notes)]


def _ours(scene: Scene, upstream: Process) -> Side:
    roster = scene.roster()
    roster.gateway.core = SERVER_CORE
    roster.gateway.env |= {"GATEWAY_EMPLOYEES_URL": upstream.url, "GATEWAY_TEAMS_URL": upstream.url}
    roster.start("gateway")
    return Side("ours", roster.gateway, _load(roster.gateway, roster.log_in()))


def _peer(scene: Scene, upstream: Process) -> Side:
    env = {"PEER_SECRET": SECRET, "PEER_UPSTREAM": upstream.url, "PEER_BEARER": scene.roster().bearer("employees")}
    gateway = scene.uvicorn("bench.peer.gateway:app", scene.subfolder("peer"), env)
    return Side("peer", gateway, _load(gateway, f"session={URLSafeTimedSerializer(SECRET).dumps({'account': 1})}"))


def _load(gateway: Process, cookie: str) -> Callable[[], Load]:
    head = f"HTTP/1.1\r\nHost: 127.0.0.1:{gateway.port}\r\nAccept: application/json\r\nCookie: {cookie}\r\n\r\n"
    tail = f" {head}".encode()
    return lambda: Load(
        gateway.port,
        lambda n: b"GET /v1/search?q=a%d&limit=%d%b" % (n % 1000, FOUND, tail),
        lambda n, status, body: status == 200 and (body.count(b'"username":'), body.count(b'"slug":')) == (FOUND, FOUND),
    )

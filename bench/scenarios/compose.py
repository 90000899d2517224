"""A search, for which the gateway asks both services at once and joins their answers, beside the same with FastAPI and httpx."""

from collections.abc import Callable

from bench.load import Load
from bench.rounds import costs, interleave, rate, ratio, times
from bench.scenarios.hop import ours, peer, upstream_of
from bench.scene import Figure, Scene
from shared.testing.processes import Process

LEAST = 5.0
FOUND = 10
"""People, and teams, that an answer holds."""


def measure(scene: Scene) -> list[Figure]:
    with scene:
        upstream = upstream_of(scene)
        mine, theirs = interleave([ours(scene, upstream, _load), peer(scene, upstream, _load)], scene.scale)
    found = ratio(mine, theirs, lambda result: result.rate)
    notes = [costs("ours", mine), costs("peer", theirs)]
    what = "a search: two calls, joined"
    return [Figure("compose", what, f"≥ {LEAST:.0f} ×", rate(mine), rate(theirs), times(found), found[0] >= LEAST, notes)]


def _load(gateway: Process, cookie: str) -> Callable[[], Load]:
    head = f"HTTP/1.1\r\nHost: 127.0.0.1:{gateway.port}\r\nAccept: application/json\r\nCookie: {cookie}\r\n\r\n"
    tail = f" {head}".encode()
    return lambda: Load(
        gateway.port,
        lambda n: b"GET /v1/search?q=a%d&limit=%d%b" % (n % 1000, FOUND, tail),
        lambda n, status, body: status == 200 and (body.count(b'"username":'), body.count(b'"slug":')) == (FOUND, FOUND),
    )

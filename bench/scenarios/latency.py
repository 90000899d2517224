"""What the gateway adds to an answer's latency at half of its load, beside what Envoy adds at the same rate.

Requests are due at fixed times, and their waiting counts. What is added is the difference to the same load on the upstream itself, in the
neighbouring round.
"""

from statistics import median

from bench.load import Load, Result
from bench.machine import LOAD_CORE
from bench.proxies import NEEDED, envoy, missing, nginx_upstream
from bench.rounds import Results, Side, costs, interleave
from bench.scenarios.proxy import BODY, PATH, ours, plain
from bench.scene import Figure, Scene
from shared.testing.processes import Process

MOST = 2.0


def measure(scene: Scene) -> list[Figure]:
    lacking = missing("wrk", NEEDED["nginx"], NEEDED["Envoy"])
    if lacking:
        return [Figure.unmeasured("latency", "added latency at half load", lacking)]
    with scene:
        upstream = nginx_upstream(scene, LOAD_CORE, BODY)
        gateway, cookie = ours(scene, upstream)
        fastest = plain("ours", gateway, scene, {"Cookie": cookie}).load().run(seconds=scene.scale.seconds, warmup=1, cpu=lambda: 0.0)
        pace = fastest.rate / 2
        sides = [
            _paced("upstream", upstream, "", pace),
            _paced("ours", gateway, f"Cookie: {cookie}\r\n", pace),
            _paced("Envoy", envoy(scene, upstream), "", pace),
        ]
        direct, mine, theirs = interleave(sides, scene.scale)
    notes = [f"{pace:,.0f} requests a second, half of what ours gave", *map(costs, ("upstream", "ours", "Envoy"), (direct, mine, theirs))]
    return [_figure(share, direct, mine, theirs, notes if share == 0.5 else []) for share in (0.5, 0.99)]


def _figure(share: float, direct: Results, mine: Results, theirs: Results, notes: list[str]) -> Figure:
    ours_added, envoys_added = (
        [_added(result, alone, share) for result, alone in zip(results, direct, strict=True)] for results in (mine, theirs)
    )
    found = median(ours_added) / max(median(envoys_added), 1e-6)
    what = f"added at half load, p{share * 100:.0f}, beside Envoy"
    return Figure("latency", what, f"≤ {MOST:.0f} ×", _range(ours_added), _range(envoys_added), f"{found:.2f} ×", found <= MOST, notes)


def _added(result: Result, alone: Result, share: float) -> float:
    return max(0.0, result.percentile(share) - alone.percentile(share))


def _range(found: list[float]) -> str:
    return f"{median(found) * 1e3:.2f} ms ({min(found) * 1e3:.2f}–{max(found) * 1e3:.2f})"


def _paced(name: str, server: Process, header: str, pace: float) -> Side:
    tail = f" HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nAccept: application/json\r\n{header}\r\n".encode()

    def load() -> Load:
        return Load(
            server.port,
            lambda n: b"GET %b%d%b" % (PATH.encode(), n + 1, tail),
            lambda n, status, body: status == 200 and body.startswith(b'{"id":%d,' % (n + 1)),
            pace=pace,
        )

    return Side(name, server, load)

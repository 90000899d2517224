"""What clients see, and what a failing service is asked, when a service behind the gateway fails: beside Envoy and Traefik as their makers
recommend them. Figures side by side, without a target: the three have other ideas of what to spare.
"""

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import httpx

from bench.load import Load, Result
from bench.machine import LOAD_CORE
from bench.proxies import NEEDED, envoy, missing, traefik
from bench.scenarios.proxy import PATH, ours
from bench.scene import Figure, Scene
from shared.testing.processes import Process

PACE: Final = 200.0
"""Requests a second, due at fixed times, over more connections than can be waiting at once."""
CONNECTIONS: Final = 256
STOP: Final = 2.0
"""Seconds for which the service is stopped (SIGSTOP), a second after the beginning."""
FAULTS: Final = {"bursts": "503 for 300 ms of each second", "slow": "each 20th answer takes 1.5 s", "stopped": f"stopped for {STOP:.0f} s"}

Make = Callable[[Scene, Process], tuple[Process, str]]


@dataclass
class Outcome:
    """What one proxy made of one fault."""

    result: Result
    asked: int

    @property
    def sent(self) -> int:
        return self.result.count + self.result.errors

    def text(self) -> str:
        good, p99 = self.result.count / max(1, self.sent), self.result.percentile(0.99) * 1e3
        return f"{good:.1%} good, p99 {p99:,.0f} ms, {self.asked / max(1, self.sent):.2f} × asked"


def measure(scene: Scene) -> list[Figure]:
    lacking = missing(NEEDED["Envoy"], NEEDED["Traefik"])
    if lacking:
        return [Figure.unmeasured("trouble", "a failing service, beside Envoy and Traefik", lacking)]
    return [_beside(scene, fault, what) for fault, what in FAULTS.items()]


def _beside(scene: Scene, fault: str, what: str) -> Figure:
    proxies: dict[str, Make] = {
        "ours": ours,
        "Envoy": lambda scene, upstream: (envoy(scene, upstream, careful=True), ""),
        "Traefik": lambda scene, upstream: (traefik(scene, upstream, careful=True), ""),
    }
    mine, *others = (f"{name}: {_outcome(scene, fault, make).text()}" for name, make in proxies.items())
    return Figure("trouble", what, "–", mine.removeprefix("ours: "), "; ".join(others), "–", True)


def _outcome(scene: Scene, fault: str, make: Make) -> Outcome:
    with scene:
        upstream = Process("failing", [], scene.subfolder("failing"), ready="/count")
        upstream.command = [sys.executable, "-m", "bench.peer.failing", str(upstream.port), "steady" if fault == "stopped" else fault]
        upstream.core = LOAD_CORE
        scene.started(upstream)
        proxy, cookie = make(scene, upstream)
        before = _count(upstream)
        seconds = max(scene.scale.seconds * 2, STOP * 2) if scene.scale.seconds >= 1 else scene.scale.seconds
        freeze = threading.Thread(target=_freeze, args=(upstream,)) if fault == "stopped" else None
        if freeze is not None:
            freeze.start()
        result = _load(proxy.port, cookie).run(seconds=seconds, warmup=0, cpu=lambda: 0.0)
        if freeze is not None:
            freeze.join()
        return Outcome(result, _count(upstream) - before)


def _freeze(upstream: Process) -> None:
    time.sleep(1)
    with upstream.frozen():
        time.sleep(STOP)


def _count(upstream: Process) -> int:
    return int(httpx.get(f"{upstream.url}/count").text)


def _load(port: int, cookie: str) -> Load:
    said = f"Cookie: {cookie}\r\n" if cookie else ""
    tail = f" HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: application/json\r\n{said}\r\n".encode()
    return Load(port, lambda n: b"GET %b%d%b" % (PATH.encode(), n + 1, tail), lambda n, status, body: status == 200, CONNECTIONS, pace=PACE)

"""A session that is ended at one gateway process: how long another one, which has just seen it, still takes it."""

import time
from statistics import median

import httpx

from shared.testing.processes import Process
from tools.faults.load import ms
from tools.faults.scene import Broken, Figure, Scene
from tools.faults.servers import own_postgresql

MOST = 1.0
LIMIT = 10.0


def run(scene: Scene) -> Figure:
    roster = scene.roster({"GATEWAY_LOG_IN_LIMIT": "0", "GATEWAY_LOG_IN_LIMIT_ADDRESS": "0"})
    roster.gateway.env["GATEWAY_DATABASE_URL"] = own_postgresql(scene).create("gateway")
    roster.start("gateway")
    other = second(scene, roster.gateway)
    times = sorted(_revoke(roster.log_in(), roster.gateway, other) for _ in range(scene.scale.revocations))
    line = (
        f"{len(times)} sessions ended at one of two gateway processes: refused by the other after {ms(median(times))} at the median, "
        f"{ms(times[-1])} at most (aim ≤ {ms(MOST)})"
    )
    return Figure(line, times[-1] <= MOST)


def second(scene: Scene, gateway: Process) -> Process:
    """Another process of a running gateway, on a port of its own."""
    other = Process("gateway", gateway.command, scene.folder, env=gateway.env)
    other.log = scene.folder / "gateway-2.log"
    other.env["GATEWAY_PORT"] = str(other.port)
    scene.stack.callback(other.kill)
    other.start()
    other.wait_ready()
    return other


def _revoke(cookie: str, here: Process, there: Process) -> float:
    with httpx.Client(headers={"Cookie": cookie}, timeout=LIMIT) as client:
        client.get(f"{there.url}/v1/session").raise_for_status()
        client.delete(f"{here.url}/v1/session").raise_for_status()
        ended = time.monotonic()
        while (status := client.get(f"{there.url}/v1/session").status_code) == 200:
            if time.monotonic() > ended + LIMIT:
                raise Broken(f"a session that was ended is still taken after {LIMIT} s")
    if status != 401:
        raise Broken(f"a session that was ended is answered with {status}")
    return time.monotonic() - ended

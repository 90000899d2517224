"""Restarts of each service under load, by the supervisor of `make run`: nobody is refused, and no write happens twice."""

import time
from functools import partial

import httpx

from tools.faults.directory import bring_in
from tools.faults.load import Load, Request, Sample, failures, get, percentile, post, statuses
from tools.faults.scene import Broken, Figure, Scene
from tools.faults.supervised import Supervised

SERVICES = ("employees", "teams", "gateway")
READS = ("/v1/employees/1", "/v1/teams/1", "/v1/employees/1?expand=teams", "/v1/employees?limit=5")
WRITES = 5
"""One request of so many is a write."""


def run(scene: Scene) -> Figure:
    roster = scene.stack.enter_context(Supervised(scene, {"GATEWAY_RATE_LIMIT": "0"}))
    cookie = roster.log_in()
    bring_in(roster.url, cookie)
    begun = time.monotonic()
    with Load(roster.url, scene.scale.rate, partial(_ask, cookie), most=1_800) as load:
        for _ in range(scene.scale.restarts):
            for service in SERVICES:
                roster.restart(service)
    seconds = time.monotonic() - begun
    gets, posts = ([sample for sample in load.samples if (sample.number % WRITES == 0) == write] for write in (False, True))
    failed, refused = failures(gets, besides={504}), failures(posts, besides={503, 504})
    if doubled := _doubled(roster.url, cookie, posts):
        raise Broken(f"{doubled} POSTs were done twice")
    line = (
        f"3 services restarted {scene.scale.restarts} times each in {seconds:,.0f} s under {scene.scale.rate:.0f} requests/s: "
        f"{len(gets):,} GETs, {failed} failed, p99 {percentile(gets, 0.99) * 1e3:,.0f} ms; {len(posts):,} POSTs, {doubled} doubled, "
        f"{statuses(sample.status for sample in posts)}"
    )
    return Figure(line, reached=not failed and not refused)


def _ask(cookie: str, number: int) -> Request:
    """Reads of both services, forwarded and joined, and writes; each write has a name and an idempotency key of its own."""
    if number % WRITES == 0:
        return post("/v1/employees", cookie, {"username": f"load{number}", "email": f"load{number}@roster.example"}, f"load-{number}")
    return get(READS[number % WRITES - 1], cookie)


def _doubled(url: str, cookie: str, posts: list[Sample]) -> int:
    """How many more people were made, by the log, than there are names. Raises Broken when an acknowledged one is not there."""
    names = set(_column(url, cookie, "/v1/employees/export", "username"))
    if lost := {f"load{sample.number}" for sample in posts if sample.status == 201} - names:
        raise Broken(f"{len(lost)} acknowledged writes are lost, {min(lost)} among them")
    return _column(url, cookie, "/v1/audit/export?entity=employee", "kind").count("created") - len(names)


def _column(url: str, cookie: str, export: str, name: str) -> list[str]:
    """What a table has in one of its columns."""
    with httpx.stream("GET", url + export, headers={"Cookie": cookie}, timeout=60) as answer:
        table = [line.split(",") for line in answer.iter_lines()]
    return [row[table[0].index(name)] for row in table[1:]]

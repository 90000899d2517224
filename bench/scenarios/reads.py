"""Reads at employees: one by id, and a page of 50; beside the peer, and on a large directory beside a small one."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

import httpx

from bench.load import Load
from bench.rounds import Side, costs, interleave, median_of, rate, ratio, times
from bench.scene import READ_POOL, Figure, Scene
from shared.testing.processes import Process

PAGES = 100
"""Pages that are walked before the rounds; the load asks for these in any order."""


@dataclass
class Server:
    """A server to read from. ``headers`` makes what a request of ours needs; ``cursor`` is the parameter that takes a page's ``next``."""

    name: str
    process: Process
    rows: int
    headers: Callable[[], dict[str, str]]
    cursor: str

    def get(self, target: str) -> bytes:
        lines = "".join(f"{name}: {value}\r\n" for name, value in self.headers().items())
        return f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{self.process.port}\r\nAccept: application/json\r\n{lines}\r\n".encode()


def ours(scene: Scene, rows: int) -> Server:
    roster = scene.roster(rows=rows)
    roster.start("employees")
    return Server(f"ours-{rows}", roster.employees, rows, lambda: {"Authorization": roster.bearer("employees")}, "cursor")


def peer(scene: Scene, rows: int, pool: int = READ_POOL) -> Server:
    return Server("peer", scene.peer(rows, pool), rows, dict, "after")


def by_id(server: Server) -> Side:
    """Anyone, in an order that is the same for both sides."""
    ids = random.Random(11).choices(range(1, server.rows + 1), k=10_007)

    def load() -> Load:
        head, _, tail = server.get("/v1/employees/ID").partition(b"ID")
        return Load(
            server.process.port,
            lambda n: b"%b%d%b" % (head, ids[n % len(ids)], tail),
            lambda n, status, body: status == 200 and body.startswith(b'{"id":%d,' % ids[n % len(ids)]),
        )

    return Side(server.name, server.process, load)


def by_page(server: Server) -> Side:
    """Any of the first PAGES pages of 50."""
    pages = walk(server)
    order = random.Random(11).choices(range(len(pages)), k=1_009)

    def load() -> Load:
        requests = [server.get(target) for target, _ in pages]
        return Load(
            server.process.port,
            lambda n: requests[order[n % len(order)]],
            lambda n, status, body: status == 200 and body.count(b'"username":') == pages[order[n % len(order)]][1],
        )

    return Side(server.name, server.process, load)


def walk(server: Server, query: str = "", most: int = PAGES) -> list[tuple[str, int]]:
    """The target of each of the first pages of a list, and how many people are on it."""
    pages: list[tuple[str, int]] = []
    first = f"/v1/employees?limit=50{query}"
    target: str | None = first
    with httpx.Client(base_url=server.process.url, headers=server.headers()) as client:
        while target is not None and len(pages) < most:
            page = client.get(target).raise_for_status().json()
            pages.append((target, len(page["items"])))
            found = page["next"]
            target = f"{first}&{server.cursor}={quote(str(found))}" if found is not None else None
    return pages


def employee(scene: Scene) -> list[Figure]:
    return [_beside_peer(scene, "employee", "an employee by id", by_id, 3.5)]


def page(scene: Scene) -> list[Figure]:
    return [_beside_peer(scene, "page", "a page of 50", by_page, 3.0)]


def _beside_peer(scene: Scene, name: str, what: str, side: Callable[[Server], Side], least: float) -> Figure:
    rows = scene.scale.medium
    with scene:
        mine, theirs = interleave([side(ours(scene, rows)), side(peer(scene, rows))], scene.scale)
    found = ratio(mine, theirs, lambda result: result.rate)
    notes = [costs("ours", mine), costs("peer", theirs)]
    what = f"{what}, of {rows:,}"
    return Figure(name, what, f"≥ {least} ×", rate(mine), rate(theirs), times(found), found[0] >= least, notes)


def size(scene: Scene) -> list[Figure]:
    """The same reads on the large directory and on the small one: what one costs, as the ratio of the rates and of the CPU."""
    figures = []
    with scene:
        large, small = ours(scene, scene.scale.large), ours(scene, scene.scale.small)
        for what, side in (("an employee by id", by_id), ("a page of 50", by_page)):
            of_small, of_large = interleave([side(small), side(large)], scene.scale)
            found = ratio(of_small, of_large, lambda result: result.rate)
            cpu = median_of(of_large, lambda result: result.cpu_each) / median_of(of_small, lambda result: result.cpu_each)
            figures.append(
                Figure(
                    "size",
                    f"{what}: {large.rows:,} beside {small.rows:,}",
                    "≤ 1.25 ×",
                    rate(of_large),
                    f"the small one: {rate(of_small)}",
                    times(found),
                    found[0] <= 1.25,
                    [costs("large", of_large), costs("small", of_small), f"CPU of one request: {cpu:.2f} ×"],
                )
            )
    return figures

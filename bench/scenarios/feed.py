"""How fast a reader gets through the merged feed at the gateway, from the first event to the last: in batches, and as a stream."""

import time
from collections.abc import Callable

import httpx

from bench.machine import LOAD_CORE, cpu_seconds
from bench.scene import Figure, Scene, import_people
from shared.testing.processes import Roster

LEAST = 10_000


def measure(scene: Scene) -> list[Figure]:
    rows = scene.scale.medium
    with scene:
        roster = scene.roster()
        roster.gateway.core = LOAD_CORE
        roster.start("employees", "teams", "gateway")
        import_people(roster, rows)
        with httpx.Client(base_url=roster.gateway.url, headers={"Cookie": roster.log_in()}, timeout=600) as client:
            return [_figure(roster, client, rows, how, read) for how, read in (("batches of 1,000", _batches), ("a stream", _stream))]


def _figure(roster: Roster, client: httpx.Client, rows: int, how: str, read: Callable[[httpx.Client, int], int]) -> Figure:
    cpu, started = cpu_seconds(roster.gateway.pid), time.perf_counter()
    seen = read(client, rows)
    seconds, cpu = time.perf_counter() - started, cpu_seconds(roster.gateway.pid) - cpu
    assert seen == rows, seen
    note = f"{how}: {cpu / rows * 1e6:,.0f} µs of the gateway's CPU for an event; the reader shares its core"
    rate = rows / seconds
    return Figure("feed", f"merged feed, {rows:,} events, {how}", f"≥ {LEAST:,}/s", f"{rate:,.0f}/s", "–", "–", rate >= LEAST, [note])


def _batches(client: httpx.Client, rows: int) -> int:
    seen, after = 0, "-~-"
    while seen < rows:
        events = client.get("/v1/changes", params={"after": after, "limit": 1000}).raise_for_status().json()
        assert events
        seen, after = seen + len(events), events[-1]["cursor"]
    return seen


def _stream(client: httpx.Client, rows: int) -> int:
    seen, rest = 0, b""
    with client.stream("GET", "/v1/changes", headers={"Accept": "text/event-stream"}) as answer:
        for piece in answer.iter_raw():
            *events, rest = (rest + piece).split(b"\n\n")
            seen += sum(event.startswith(b"id: ") for event in events)
            if seen >= rows:
                break
    return seen

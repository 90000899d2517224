"""The load of `make faults`: it begins every request in time, waits for all, and tells what each came to."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.testing.raw import OK, RawServers, replying, silent
from tools.faults.apart import Apart, apart
from tools.faults.load import (
    LOST,
    Load,
    Request,
    Sample,
    all_at_once,
    all_at_once_when_told,
    closed,
    failures,
    in_turn,
    lateness,
    percentile,
    statuses,
)
from tools.faults.scene import Broken

ASK = Request(b"GET", b"/", [])


@pytest.fixture
async def servers(tmp_path: Path) -> AsyncIterator[RawServers]:
    """Servers that end with the test."""
    made = RawServers(tmp_path)
    yield made
    await made.stop()


async def during(load: Load, seconds: float) -> list[Sample]:
    def wait() -> None:
        with load:
            time.sleep(seconds)

    await asyncio.to_thread(wait)
    return load.samples


async def test_requests_go_on_whatever_has_become_of_the_others(servers: RawServers) -> None:
    url = await servers.start(silent)
    samples = await during(Load(url, 100, in_turn([ASK]), patience=0.5), 0.3)
    assert len(samples) >= 2
    assert {sample.status for sample in samples} == {LOST}
    assert [sample.number for sample in samples] == list(range(len(samples)))
    assert all(sample.late >= 0 for sample in samples)
    assert all("ReadTimeout" in sample.error for sample in samples)


async def test_a_load_ends_by_itself(servers: RawServers) -> None:
    url = await servers.start(replying(OK))
    samples = await during(Load(url, 50, in_turn([ASK]), most=0.1), 0.5)
    assert 1 <= len(samples) <= 6
    assert statuses(sample.status for sample in samples) == f"200 × {len(samples)}"


async def test_closed_and_all_at_once(servers: RawServers) -> None:
    url = await servers.start(replying(OK))
    assert await closed(url, 2, 0.2, ASK) >= 2
    assert await all_at_once(url, [ASK] * 20) == [200] * 20


async def test_what_runs_apart_waits_to_be_told(servers: RawServers) -> None:
    url = await servers.start(replying(OK))
    apart = await asyncio.to_thread(Apart, all_at_once_when_told, url, [ASK] * 20)
    assert await asyncio.to_thread(apart.result) == [200] * 20


def test_what_fails_apart_is_told_here() -> None:
    with pytest.raises(RuntimeError, match="ValueError"):
        apart(closed, "no address", 1, 0.1, ASK)


def test_what_the_load_is_late_with_is_told_apart() -> None:
    samples = [Sample(0, 0.0, 1.0, 200, "", late) for late in (0.3, 0.1, 0.2)]
    assert (lateness(samples, 0.5), percentile(samples, 1)) == (0.2, 1.0)


@pytest.mark.parametrize(("share", "seconds"), [(0.5, 2.0), (0.99, 3.0), (1, 3.0)])
def test_percentiles(share: float, seconds: float) -> None:
    assert percentile([Sample(0, 0.0, value, 200, "") for value in (3.0, 1.0, 2.0)], share) == seconds


def test_what_got_no_answer_is_told() -> None:
    assert statuses([200, 0, 503, 200]) == "no answer × 1, 200 × 2, 503 × 1"


def test_what_a_slow_machine_does_is_counted_and_anything_else_is_broken() -> None:
    def of(*found: int) -> list[Sample]:
        return [Sample(0, 0.0, 1.0, status, "") for status in found]

    assert failures(of(200, 201, 503, 504)) == 2
    assert failures(of(200, 504), besides={504}) == 1
    for status in (0, 401, 409, 500, 502):
        with pytest.raises(Broken, match="1 wrong answers"):
            failures(of(200, status))
    with pytest.raises(Broken):
        failures(of(503), besides={504})

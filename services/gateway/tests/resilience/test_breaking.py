"""What the answers and failures of a real service do to its breakers."""

import asyncio
from typing import Any

import pytest

from gateway.resilience import BreakerOpen, Calls, Full
from gateway.resilience.breaker import Outcome, State
from shared.pool import ReadTimeout
from shared.testing.raw import OK, RawServers, Scripted, silent, until

FAILING = b"HTTP/1.1 %d Some Thing\r\n%bcontent-length: 0\r\n\r\n"


async def test_a_failing_service_is_left_alone_and_found_well_again(servers: RawServers, to: Any, ask: Any, clock: Any) -> None:
    service = Scripted(*[FAILING % (500, b"")] * 20)
    calls = to(await servers.start(service))
    for _ in range(20):
        assert await ask(calls) == 500
    with pytest.raises(BreakerOpen) as caught:
        await ask(calls)
    assert 1 <= caught.value.retry_after <= 6
    assert len(service.heads) == 20
    assert await ask(calls, b"PUT") == 200, "writes have a breaker of their own"
    clock.now += 6.1
    for _ in range(3):
        assert await ask(calls) == 200
    assert calls.reads.state is State.CLOSED


def rest(calls: Calls, clock: Any) -> None:
    """The breaker has opened, and its rest is over."""
    for _ in range(5):
        calls.reads.settle(calls.reads.admit(), Outcome.NO_CONNECTION)
    clock.now += 6.1


async def test_of_fifty_at_once_one_probes(servers: RawServers, to: Any, ask: Any, clock: Any) -> None:
    gate = asyncio.Event()
    heads = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        await gate.wait()
        writer.write(OK)

    calls = to(await servers.start(handler))
    rest(calls, clock)
    asked = [asyncio.create_task(ask(calls)) for _ in range(50)]
    await until(lambda: sum(task.done() for task in asked) == 49)
    assert all(isinstance(task.exception(), BreakerOpen) for task in asked if task.done())
    gate.set()
    await asyncio.wait(asked)
    assert len(heads) == 1
    assert not any(task.exception() for task in asked[:1])


async def test_a_probe_whose_client_leaves_frees_the_place(servers: RawServers, to: Any, ask: Any, clock: Any) -> None:
    calls = to(await servers.start(silent))
    rest(calls, clock)
    probe = asyncio.create_task(ask(calls))
    await until(lambda: servers.connections == 1)
    with pytest.raises(BreakerOpen):
        await ask(calls)
    probe.cancel()
    await asyncio.wait([probe])
    assert calls.reads.state is State.HALF_OPEN
    calls.reads.check()


async def test_a_thousand_clients_who_leave_change_nothing(servers: RawServers, to: Any, ask: Any) -> None:
    calls = to(await servers.start(silent), requests=50)
    for _ in range(20):
        asked = [asyncio.create_task(ask(calls)) for _ in range(50)]
        await until(lambda: calls.requests.busy == 50)
        for task in asked:
            task.cancel()
        await asyncio.wait(asked)
    assert calls.reads.state is State.CLOSED
    assert (calls.requests.busy, calls.reads.failed, calls.retries.tokens) == (0, 0, 10.0)


async def test_a_caller_in_a_hurry_says_nothing_about_the_service(servers: RawServers, to: Any, ask: Any) -> None:
    calls = to(await servers.start(silent), respected=0.2)
    for seconds, failed in ((0.05, 0), (0.6, 2)):
        with pytest.raises(ReadTimeout):
            await ask(calls, seconds=seconds)
        assert calls.reads.failed == failed


async def test_what_our_own_limits_refuse_says_nothing_about_the_service(servers: RawServers, to: Any, ask: Any) -> None:
    calls = to(await servers.start(silent), requests=1)
    holder = asyncio.create_task(ask(calls))
    await until(lambda: calls.requests.busy == 1)
    for _ in range(30):
        with pytest.raises(Full):
            await ask(calls, seconds=0.05)
    holder.cancel()
    await asyncio.wait([holder])
    assert calls.reads.failed == 0


async def test_a_service_that_sheds_load_is_well(servers: RawServers, to: Any, ask: Any) -> None:
    service = Scripted(*[FAILING % (503, b"x-load-shed: 1\r\nretry-after: 60\r\n")] * 40)
    calls = to(await servers.start(service))
    for _ in range(40):
        assert await ask(calls) == 503
    assert calls.reads.state is State.CLOSED
    assert calls.retries.tokens == 0

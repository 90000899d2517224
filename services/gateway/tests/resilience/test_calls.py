"""What is sent a second time, and with how much time."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.resilience import Calls, Full
from gateway.resilience.bulkhead import Bulkhead
from gateway.resilience.calls import Lane
from shared.pool import ConnectFailed, ConnectionLost, Pool, PoolClosed, ReadTimeout
from shared.testing.raw import OK, RawServers, Scripted, silent

KEY = (b"idempotency-key", b"k")
FAILING = b"HTTP/1.1 %d Some Thing\r\n%bcontent-length: 0\r\n\r\n"


def soon(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


@pytest.mark.parametrize("answer", [None, FAILING % (502, b""), FAILING % (503, b""), FAILING % (504, b"")])
@pytest.mark.parametrize(
    ("method", "headers", "twice"),
    [(b"GET", (), True), (b"HEAD", (), True), (b"POST", (KEY,), True), (b"POST", (), False), (b"PUT", (), False), (b"DELETE", (), False)],
)
async def test_what_may_be_repeated_is_sent_once_more(
    servers: RawServers, to: Any, ask: Any, answer: bytes | None, method: bytes, headers: Any, twice: bool
) -> None:
    service = Scripted(answer)
    calls = to(await servers.start(service))
    if twice:
        assert await ask(calls, method, *headers) == 200
    elif answer is None:
        with pytest.raises(ConnectionLost):
            await ask(calls, method, *headers)
    else:
        assert await ask(calls, method, *headers) > 500
    assert len(service.heads) == 1 + twice
    assert calls.retries.made == twice
    assert calls.retries.under_way == 0


@pytest.mark.parametrize("status", [400, 404, 409, 412, 429, 500, 501])
async def test_other_answers_are_passed_on(servers: RawServers, to: Any, ask: Any, status: int) -> None:
    service = Scripted(FAILING % (status, b""))
    assert await ask(to(await servers.start(service))) == status
    assert len(service.heads) == 1


@pytest.mark.parametrize(
    ("status", "after", "seconds", "expected"),
    [(429, b"0", 10.0, 200), (503, b"1", 10.0, 200), (429, b"30", 10.0, 429), (503, b"1", 0.9, 503), (503, b"soon", 10.0, 503)],
)
async def test_retry_after_is_respected_if_it_fits(
    servers: RawServers, to: Any, ask: Any, status: int, after: bytes, seconds: float, expected: int
) -> None:
    service = Scripted(FAILING % (status, b"retry-after: %b\r\n" % after))
    begun = soon(0)
    assert await ask(to(await servers.start(service)), seconds=seconds) == expected
    assert len(service.heads) == (2 if expected == 200 else 1)
    assert soon(0) - begun >= (1 if expected == 200 and after == b"1" else 0)


async def test_a_second_failure_is_the_answer(servers: RawServers, to: Any, ask: Any) -> None:
    service = Scripted(*[FAILING % (503, b"")] * 3)
    assert await ask(to(await servers.start(service))) == 503
    assert len(service.heads) == 2


@pytest.mark.parametrize("method", [b"GET", b"POST", b"PUT", b"DELETE"])
async def test_without_a_connection_any_method_is_tried_again(to: Any, ask: Any, unused_tcp_port: int, method: bytes) -> None:
    calls = to(f"http://127.0.0.1:{unused_tcp_port}")
    with pytest.raises(ConnectFailed):
        await ask(calls, method)
    assert calls.retries.made == 1


class Unreachable(Pool):
    """A pool whose first connection fails."""

    tries = 0

    async def request(self, *args: Any, **options: Any) -> Any:
        self.tries += 1
        if self.tries == 1:
            raise ConnectFailed("no connection")
        return await super().request(*args, **options)


async def test_a_streamed_body_that_was_not_begun_goes_to_the_second_connection(servers: RawServers) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"hi"

    service = Scripted()
    pool = Unreachable(await servers.start(service), connect_timeout=5.0)
    calls = Calls(pool, pool)
    response = await calls.requests.request(b"PUT", b"/", [], pieces(), length=2, deadline=soon(10))
    assert (await response.read(), pool.tries) == (b"ok", 2)
    await calls.aclose()


async def test_an_answer_that_was_begun_and_broke_off_is_not_asked_for_again(servers: RawServers, to: Any, ask: Any) -> None:
    heads = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK[:20])
        await writer.drain()

    calls = to(await servers.start(handler))
    with pytest.raises(ConnectionLost):
        await ask(calls)
    assert len(heads) == 1


async def test_a_failing_service_sees_hardly_more_than_its_clients_send(servers: RawServers, to: Any, ask: Any, clock: Any) -> None:
    service = Scripted(*[FAILING % (503, b"")] * 500)
    calls = to(await servers.start(service))
    asked = 100
    for _ in range(asked):
        clock.now += 1  # so that the breaker, which would stop them altogether, stays out of it
        assert await ask(calls) == 503
    assert len(service.heads) <= 1.2 * asked


async def test_what_is_left_is_passed_on_and_the_second_try_gets_the_rest(servers: RawServers, to: Any, ask: Any) -> None:
    service = Scripted(FAILING % (503, b""))
    calls = to(await servers.start(service))
    await ask(calls, seconds=2.0)
    await ask(calls, b"PUT", seconds=2.0)
    await ask(calls, seconds=None)
    told = [int(head.lower().partition(b"x-request-timeout-ms: ")[2].split(b"\r\n")[0] or 0) for head in service.heads]
    assert told[0] <= 0.45 * 2000 - 5
    assert told[0] < told[1] <= 1995
    assert told[0] < told[2] <= 1995
    assert told[3] == 0


class Asked(Pool):
    """A pool that notes when it is asked, until when, and with how many milliseconds for the service; and sends nothing."""

    at = until = told = 0.0

    async def request(self, method: bytes, target: bytes, headers: Any = (), *args: Any, **options: Any) -> Any:
        self.at, self.until = asyncio.get_running_loop().time(), options["deadline"]
        self.told = float(dict(headers)[b"x-request-timeout-ms"])
        raise PoolClosed("it was only to be asked")


@pytest.mark.parametrize(("seconds", "fraction", "least"), [(2.0, 0.45, 0.0), (0.1, 0.0, 0.05)])
async def test_a_first_try_gets_45_percent_or_50_ms_and_the_service_5_ms_less(seconds: float, fraction: float, least: float) -> None:
    pool = Asked("http://127.0.0.1:1")
    before = soon(0)
    with pytest.raises(PoolClosed):
        await Calls(pool, pool).requests.request(b"GET", b"/", [], deadline=before + seconds)
    share = fraction * seconds + least
    assert share <= pool.until - before <= share + (pool.at - before), "counted from some moment between the two"
    assert (pool.until - pool.at) * 1000 - 6 <= pool.told <= (pool.until - before) * 1000 - 5, "in whole milliseconds"


class Occupied(Bulkhead):
    """One without a place, which notes for how long somebody would wait for one."""

    patience = 0.0

    async def enter(self, patience: float) -> None:
        self.patience = patience
        raise Full


@pytest.mark.parametrize(("seconds", "most"), [(None, 0.05), (10.0, 0.05), (0.4, 0.04)])
async def test_a_place_is_waited_for_50_ms_or_a_tenth_of_the_time(seconds: float | None, most: float) -> None:
    pool, places = Pool("http://127.0.0.1:1"), Occupied(0)
    lane = Lane(Calls(pool, pool), pool, places)
    before = soon(0)
    with pytest.raises(Full):
        await lane.request(b"PUT", b"/", [], deadline=None if seconds is None else before + seconds)
    assert most - 0.1 * (soon(0) - before) <= places.patience <= most


async def test_a_first_try_that_hangs_leaves_time_for_a_second(servers: RawServers, to: Any, ask: Any) -> None:
    first = True

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal first
        hang, first = first, False
        await reader.readuntil(b"\r\n\r\n")
        if hang:
            await reader.read()
        writer.write(OK)

    calls = to(await servers.start(handler))
    assert await ask(calls, seconds=3.0) == 200
    assert servers.connections == 2


async def test_without_time_nothing_is_sent(servers: RawServers, to: Any, ask: Any) -> None:
    calls = to(await servers.start(silent))
    with pytest.raises(ReadTimeout):
        await ask(calls, seconds=0.004)
    assert servers.connections == 0

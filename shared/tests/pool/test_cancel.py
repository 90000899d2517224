"""Cancelling, at any moment and ten thousand times, leaves nothing behind and nothing broken."""

import asyncio
import gc
import os
import random
from collections.abc import AsyncIterator, Callable

from shared.pool import Pool, PoolError
from shared.pool.connection import Connection
from shared.testing.raw import OK, RawServers, until

Pools = Callable[..., Pool]
TIMES = 10_000
AT_ONCE = 50


def sockets() -> int:
    """Open sockets of this process."""
    count = 0
    for number in os.listdir("/proc/self/fd"):
        try:
            count += os.readlink(f"/proc/self/fd/{number}").startswith("socket:")
        except OSError:
            continue
    return count


async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers after 0-2 ms, in two parts, and now and then closes instead."""
    chance = random.Random(7)
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"chunked" in head:
            await reader.readuntil(b"0\r\n\r\n")
        await asyncio.sleep(chance.random() * 0.002)
        if chance.random() < 0.05:
            return
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf")
        await asyncio.sleep(chance.random() * 0.001)
        writer.write(b"half")


async def body() -> AsyncIterator[bytes]:
    for _ in range(3):
        yield b"piece"
        await asyncio.sleep(0.0003)


async def test_ten_thousand_cancellations(servers: RawServers, pools: Pools) -> None:
    chance = random.Random(1)
    pool = pools(await servers.start(slow), size=10, wait_timeout=0.01)
    before, tasks_before = sockets(), len(asyncio.all_tasks())
    outcomes = {"cancelled": 0, "answered": 0, "failed": 0}

    async def ask() -> None:
        try:
            async with await pool.request(
                b"POST" if chance.random() < 0.3 else b"GET", b"/", body=body() if chance.random() < 0.3 else None
            ) as response:
                assert await response.read() == b"halfhalf"
            outcomes["answered"] += 1
        except PoolError:
            outcomes["failed"] += 1
        except asyncio.CancelledError:
            outcomes["cancelled"] += 1
            raise

    async def worker(times: int) -> None:
        for _ in range(times):
            task = asyncio.create_task(ask())
            asyncio.get_running_loop().call_later(chance.random() * 0.004, task.cancel)
            await asyncio.wait([task])
            assert pool.open <= 10

    await asyncio.gather(*(worker(TIMES // AT_ONCE) for _ in range(AT_ONCE)))
    assert outcomes["cancelled"] > TIMES // 10
    assert pool.waiting == 0
    assert pool.open == pool.idle
    for _ in range(50):
        response = await pool.request(b"GET", b"/")  # the places are all there, and every connection works
        assert response.status == 200
        response.close()
    await pool.aclose()
    await until(lambda: not servers.tasks)
    gc.collect()
    await until(lambda: sockets() == before)
    assert len(asyncio.all_tasks()) == tasks_before


async def test_cancelled_in_the_moment_in_which_its_turn_comes(servers: RawServers) -> None:
    """It was given a connection and has not woken yet: the next one gets it."""
    gate = asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            await gate.wait()
            writer.write(OK)

    class Cancelling(Pool):
        def release(self, connection: Connection) -> None:
            super().release(connection)
            second.cancel()

    pool = Cancelling(await servers.start(handler), size=1, wait_timeout=5.0)
    first = asyncio.create_task(pool.request(b"GET", b"/"))
    await until(lambda: servers.connections == 1)
    second = asyncio.create_task(pool.request(b"GET", b"/"))
    await until(lambda: pool.waiting == 1)
    third = asyncio.create_task(pool.request(b"GET", b"/"))
    await until(lambda: pool.waiting == 2)
    gate.set()
    async with asyncio.timeout(10):
        assert [(await task).status for task in (first, third)] == [200, 200]
    assert second.cancelled()
    assert (pool.open, pool.idle, servers.connections) == (1, 1, 1)
    await pool.aclose()


async def test_cancelled_while_it_is_answered_in_the_same_turn(servers: RawServers, pools: Pools) -> None:
    pool = pools(await servers.answer(OK))
    for _ in range(200):
        task = asyncio.create_task(pool.request(b"GET", b"/"))
        while not task.done():
            await asyncio.sleep(0)
            if pool.idle:
                task.cancel()
        await asyncio.wait([task])
    assert pool.open == pool.idle == 1

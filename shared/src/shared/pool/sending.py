"""Sending a streamed body: the one case that takes a task, as the answer may come before the body has gone."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable
from typing import TYPE_CHECKING

from shared.pool.errors import PoolError
from shared.pool.response import Response

if TYPE_CHECKING:
    from shared.pool.connection import Connection


async def exchange(connection: "Connection", response: Response, body: AsyncIterable[bytes], length: int | None) -> None:
    """Send the body until it ends or the response begins, whichever is first; return when the response's head is here.

    Raises what the body raises, PoolError, and ValueError for a body of another length than announced.
    """
    sender = asyncio.get_running_loop().create_task(_send(connection, body, length))

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            task.exception()  # looked at, so that it counts as retrieved
        response.wake()

    sender.add_done_callback(ended)
    try:
        while not (response.status or response.failed):
            if sender.done():
                sender.result()
                break
            await response.change()
        sender.cancel()
        await asyncio.wait((sender,))
        await response.begun()
    except BaseException:
        connection.close(PoolError("the request was given up", sent=True))
        sender.cancel()
        raise


async def _send(connection: "Connection", body: AsyncIterable[bytes], length: int | None) -> None:
    try:
        await connection.send(body, length)
    finally:
        if isinstance(body, AsyncGenerator):
            await body.aclose()  # left half read, it would be closed by a task of the loop's, some time

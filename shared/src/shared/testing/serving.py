"""ASGI apps on real sockets within a test's own event loop, so that its clock and its fakes can be reached."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from shared.protocol import Protocol

PATIENCE = 15.0


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the test run's own."""
        yield


@asynccontextmanager
async def serving(app: Any, *, lifespan: bool = True) -> AsyncIterator[str]:
    """The URL of an app that serves as long as the block lasts, with the server's settings of `shared.server`."""
    config = uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        lifespan="on" if lifespan else "off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=2,
    )
    server = _Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else 40 ms an answer: asyncio sets it on no socket made elsewhere
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            async with asyncio.timeout(PATIENCE):
                while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn tells by a flag
                    await asyncio.sleep(0.005)
            if task.done():
                task.result()
                raise RuntimeError("the app did not start")
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            async with asyncio.timeout(PATIENCE):
                await task

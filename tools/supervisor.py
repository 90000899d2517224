"""Keeps services running, on listening sockets of its own, and puts new ones in their place without refusing anybody.

Who wants a restart writes the services' names into `<var>/restart` and sends SIGUSR1: `tools.restart` does. The file is gone when that is
done, or says why it failed.
"""

import asyncio
import signal
import socket
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.processes import Fault, Process, Service

READY_WITHIN = 60.0
"""Seconds from start to the last service's readiness; a small machine's first start takes about five."""
FAILED = "failed: "


class Supervisor:
    """The services of one folder. Leaving `run` ends all of them."""

    def __init__(self, var: Path, services: Sequence[Service], sockets: Mapping[str, socket.socket]) -> None:
        self._var = var
        self._sockets = sockets
        self._processes = {service.name: self._process(service) for service in services}
        self._fate: asyncio.Future[None]
        self._tasks: set[asyncio.Task[None]] = set()
        self._restarting = asyncio.Lock()

    async def run(self, then: Coroutine[Any, Any, None]) -> None:
        """Start all, do what is to be done `then`, and wait for Ctrl-C or SIGTERM. Raises Fault when a service stops by itself."""
        loop = asyncio.get_running_loop()
        self._fate = loop.create_future()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(signal.SIGUSR1, lambda: self._spawn(self._restart_asked()))
        try:
            for process in self._processes.values():
                await self._start(process)
            self._spawn(then)
            await self._fate
            print("\nstopping", flush=True)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*(process.stop(signal.SIGINT) for process in self._processes.values()))
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def ready(self) -> None:
        """Wait until every service takes requests. Raises Fault when one is late."""
        try:
            async with asyncio.timeout(READY_WITHIN):
                await asyncio.gather(*map(_ready, self._processes.values()))
        except TimeoutError:
            late = ", ".join(name for name, process in self._processes.items() if not process.is_ready)
            raise Fault(f"{late}: not ready within {READY_WITHIN:.0f} seconds; see {self._var}/log") from None

    async def restart(self, name: str) -> None:
        """Put a new process in a service's place; the old one stays when that fails. Raises Fault."""
        old = self._processes.get(name)
        if old is None:
            raise Fault(f"{name} does not run here")
        new = self._process(old.service)
        await self._start(new)
        try:
            async with asyncio.timeout(READY_WITHIN):
                await _ready(new)
        except TimeoutError:
            raise Fault(f"{name} was not ready within {READY_WITHIN:.0f} seconds; the one before goes on") from None
        finally:
            if not new.is_ready:
                await new.stop(signal.SIGKILL)
        self._processes[name] = new
        await old.stop(signal.SIGTERM)

    async def _restart_asked(self) -> None:
        asked = self._var / "restart"
        async with self._restarting:
            try:
                for name in asked.read_text("utf-8").split():
                    await self.restart(name)
                    print(f"{name} was restarted", flush=True)
            except (Fault, OSError) as fault:
                print(f"make restart: {fault}", flush=True)
                asked.write_text(f"{FAILED}{fault}", "utf-8")
            else:
                asked.unlink(missing_ok=True)

    def _process(self, service: Service) -> Process:
        return Process(service, self._var / "log", self._sockets[service.name])

    async def _start(self, process: Process) -> None:
        await process.start()
        self._spawn(self._watch(process))

    async def _watch(self, process: Process) -> None:
        """Raises Fault when a service ends while it is the one that serves."""
        await process.ended()
        if self._processes[process.service.name] is process:
            raise Fault(process.epitaph())

    def _stop(self) -> None:
        if not self._fate.done():
            self._fate.set_result(None)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._look)

    def _look(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and not self._fate.done():
            self._fate.set_exception(error)


async def _ready(process: Process) -> None:
    if not await process.ready():
        await process.ended()
        raise Fault(process.epitaph())

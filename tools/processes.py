"""Child processes of the supervisor: started, asked for readiness, replaced, stopped; each writes to a log file of its own.

The listening sockets are the supervisor's. A service that is replaced goes on answering until the new one has said that it takes
requests, and then as a lame duck (`shared.server`), so nobody is refused.
"""

import asyncio
import errno
import fcntl
import os
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

BACKLOG = 2048
STOP_WITHIN = 20.0
"""Seconds for a service to end what it does after SIGTERM; its own limit is shorter."""


class Fault(Exception):
    """What prevents a start or ended a run, in words for the user."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service to run: `python -m <name> serve` with settings in the environment."""

    name: str
    port: int
    environment: Mapping[str, str]


class Process:
    """One service's process; its output goes to `<log>/<name>.log`, the one before's to `<name>.log.1`."""

    def __init__(self, service: Service, log: Path, listening: socket.socket) -> None:
        self.service = service
        self.log = log / f"{service.name}.log"
        self.is_ready = False
        self._listening = listening
        self._says_ready = -1
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """In a session of its own, so that a Ctrl-C reaches the supervisor alone, which then asks the services to stop."""
        self.log.parent.mkdir(mode=0o700, exist_ok=True)
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))
        self._says_ready, writing = os.pipe()
        fds = (self._listening.fileno(), writing)
        try:
            with self.log.open("wb") as output:
                self._process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", self.service.name, "serve", "--fd", str(fds[0]), "--ready-fd", str(fds[1])),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=dict(self.service.environment),
                    start_new_session=True,
                    pass_fds=fds,
                )
        finally:
            os.close(writing)

    async def ready(self) -> bool:
        """Wait until it takes requests; False when it has ended before. Called once."""
        self.is_ready = bool(await asyncio.to_thread(_read_line, self._says_ready))
        return self.is_ready

    async def ended(self) -> int:
        assert self._process is not None
        return await self._process.wait()

    def epitaph(self) -> str:
        """How it ended, with the last thing it said, unless it was killed: that is then about something else."""
        code = self._process.returncode if self._process else None
        if code is not None and code < 0:
            return f"{self.service.name} was killed by {signal.Signals(-code).name} (its log: {self.log})"
        said = [line for line in self.log.read_text("utf-8", "replace").splitlines() if line.strip()]
        return f"{self.service.name} stopped with exit code {code}: {said[-1] if said else 'it said nothing'} (all of it: {self.log})"

    async def stop(self, how: signal.Signals) -> None:
        """SIGTERM lets it drain, SIGINT finishes what runs; SIGKILL when that takes too long. Returns when the process is gone."""
        if self._process is None or self._process.returncode is not None:
            return
        self._process.send_signal(how)
        try:
            async with asyncio.timeout(STOP_WITHIN):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


def _read_line(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb") as pipe:
        return pipe.readline()


@contextmanager
def listening(ports: Mapping[str, int]) -> Iterator[dict[str, socket.socket]]:
    """A listening socket for each service. Raises Fault when a port can't be had."""
    with ExitStack() as stack:
        sockets = {}
        for name, port in ports.items():
            try:
                sockets[name] = stack.enter_context(socket.create_server(("127.0.0.1", port), backlog=BACKLOG))
            except OSError as fault:
                why = "in use" if fault.errno == errno.EADDRINUSE else os.strerror(fault.errno or 0).lower()
                raise Fault(f"port {port} (for {name}) is {why}; other ports: ROSTER_PORT_BASE={port + 1000}") from None
        yield sockets


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Makes the folder, for its owner only, and holds it against a second run; raises Fault when it can't be written. `lock` has our id."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (folder / "lock").open("a")
    except OSError as fault:
        raise Fault(f"{folder}: can't be written ({fault.strerror}); another folder: ROSTER_VAR=…") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Fault(f"{folder}: another `make run` or `make gateway` uses it") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield

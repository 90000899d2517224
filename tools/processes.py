"""Child processes of the supervisor: started, asked for readiness, stopped; each writes to a log file of its own."""

import asyncio
import errno
import fcntl
import http.client
import os
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

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
    """One service's process; its output goes to `<log>/<name>.log`, the run before's to `<name>.log.1`."""

    def __init__(self, service: Service, log: Path) -> None:
        self.service = service
        self.log = log / f"{service.name}.log"
        self.is_ready = False
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """In a session of its own, so that a Ctrl-C reaches the supervisor alone, which then asks the services to stop."""
        self.log.parent.mkdir(mode=0o700, exist_ok=True)
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("wb") as output:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", self.service.name, "serve"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(self.service.environment),
                start_new_session=True,
            )

    async def ended(self) -> int:
        assert self._process is not None
        return await self._process.wait()

    def epitaph(self) -> str:
        """How it ended, with the last thing it said."""
        code = self._process.returncode if self._process else None
        how = f"was killed by {signal.Signals(-code).name}" if code is not None and code < 0 else f"stopped with exit code {code}"
        said = [line for line in self.log.read_text("utf-8", "replace").splitlines() if line.strip()]
        return f"{self.service.name} {how}: {said[-1] if said else 'it said nothing'} (all of it: {self.log})"

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL when that takes too long; returns when the process is gone."""
        if self._process is None or self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            async with asyncio.timeout(STOP_WITHIN):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


async def ready(process: Process) -> None:
    """Returns when the service says that it is ready; has no end of its own."""
    while not await asyncio.to_thread(_says_ready, process.service.port):  # noqa: ASYNC110  another process: nothing here can be waited for
        await asyncio.sleep(0.1)
    process.is_ready = True


def _says_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def check_ports(ports: Mapping[str, int]) -> None:
    """Raises Fault when a port can't be had."""
    for name, port in ports.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as fault:
                why = "in use" if fault.errno == errno.EADDRINUSE else os.strerror(fault.errno or 0).lower()
                raise Fault(f"port {port} (for {name}) is {why}; other ports: make run ROSTER_PORT_BASE={port + 1000}") from None


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Makes the folder, for its owner only, and holds it against a second run; raises Fault when it can't be written."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (folder / "lock").open("a")
    except OSError as fault:
        raise Fault(f"{folder}: can't be written ({fault.strerror}); another folder: make run ROSTER_VAR=…") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Fault(f"{folder}: another `make run` uses it") from None
        yield

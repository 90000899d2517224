"""The services as real processes, on free ports of this machine, with keys of their own: for fault tests and benchmarks.

with Roster(folder) as roster:
    roster.start("employees", "teams", "gateway")
    roster.employees.url, roster.bearer("employees")
    roster.employees.kill(); roster.employees.start(); roster.employees.wait_ready()

Restarts that refuse nobody: `roster.employees.hold()` before the start, then `roster.employees.restart()`.
"""

import contextlib
import http.client
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from shared.identity import Caller, Minter, generate_key

SERVICES = ("employees", "teams", "gateway")
PATIENT = {"X-Request-Timeout-Ms": "10000"}
"""Headers of a log-in: on a machine that runs many tests a password takes long to check."""


class NotStarted(Exception):
    """A process ended or kept silent while it was awaited; the message has the end of what it said."""


def free_port() -> int:
    """A TCP port of the loopback address that nobody listens on now."""
    return free_ports(1)


def free_ports(count: int = len(SERVICES)) -> int:
    """The first of some neighbouring ports that nobody listens on; below those that a system gives out, so that they are free later too."""
    while True:
        base = 10_000 + secrets.randbelow(22_000)
        try:
            with contextlib.ExitStack() as held:
                for offset in range(count):
                    held.enter_context(socket.create_server(("127.0.0.1", base + offset)))
        except OSError:
            continue
        return base


class Process:
    """One server: started, awaited, frozen, killed and started again on the same port. What it says goes to ``log``."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        folder: Path,
        *,
        port: int | None = None,
        env: Mapping[str, str] | None = None,
        ready: str = "/readyz",
    ) -> None:
        self.name = name
        self.port = port or free_port()
        self.env = dict(env or {})
        self.log = folder / f"{name}.log"
        self.core: int | None = None
        """The core that it is pinned to, from its next start on."""
        self.command = list(command)
        self._folder = folder
        self._ready = ready
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} is not running"
        return self._process.pid

    def start(self, *, prefix: Sequence[str] = (), ready_fd: int | None = None) -> None:
        """Start it, behind ``prefix`` (a tracer that leaves it our child); `wait_ready` tells when it answers."""
        command = [*prefix, *self.command]
        if self.core is not None:
            command = ["taskset", "-c", str(self.core), *command]
        env = {"PATH": os.environ["PATH"], "HOME": str(self._folder), "PYTHONPATH": os.pathsep.join(sys.path), **self.env}
        fds: tuple[int, ...] = () if ready_fd is None else (ready_fd,)
        if ready_fd is not None:
            command += ["--ready-fd", str(ready_fd)]
        if self._socket is not None:
            fds += (self._socket.fileno(),)
            command += ["--fd", str(self._socket.fileno())]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 -- our own command
                command, cwd=self._folder, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=fds
            )

    def hold(self, listener: socket.socket | None = None) -> None:
        """Keep the listening socket here, as a supervisor does, from the next start on: a new one, or one that several processes share."""
        self._socket = listener or socket.create_server(("127.0.0.1", self.port), backlog=2048)

    def release(self) -> None:
        """Close the socket that is held, if one is."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def restart(self, timeout: float = 30) -> int:
        """Start another one on the socket that is held, and end this one when that is ready; its exit code."""
        assert self._socket is not None, f"{self.name} was not started on a socket that is held"
        old = self._process
        reading, writing = os.pipe()
        self.start(ready_fd=writing)
        os.close(writing)
        with os.fdopen(reading, "rb") as ready:
            if not select.select([ready], [], [], timeout)[0] or not ready.readline():
                raise NotStarted(f"{self.name} did not become ready: {self.tail()}")
        assert old is not None
        old.terminate()
        return old.wait(timeout)

    def wait_ready(self, timeout: float = 60) -> None:
        """Wait until it answers 200 to its readiness path. Raises NotStarted."""
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            if self._process is None or self._process.poll() is not None:
                raise NotStarted(f"{self.name} ended: {self.tail()}")
            if self._answers():
                return
            time.sleep(0.02)
        raise NotStarted(f"{self.name} did not become ready within {timeout} s: {self.tail()}")

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self._end(signal.SIGKILL)

    def stop(self, timeout: float = 20) -> int:
        """SIGTERM; the exit code."""
        return self._end(signal.SIGTERM, timeout)

    def wait(self, timeout: float = 20) -> int:
        """Wait until it has ended by itself; the exit code."""
        assert self._process is not None, f"{self.name} is not running"
        return self._process.wait(timeout)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """It accepts connections and answers nothing (SIGSTOP) for the length of the block."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def tail(self, size: int = 2000) -> str:
        return self.log.read_bytes()[-size:].decode("utf-8", "replace") if self.log.exists() else ""

    def _end(self, how: signal.Signals, timeout: float = 20) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(how)
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait(timeout)

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", self._ready)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


class Roster:
    """The three services, each with a database in ``folder``, trusting one gateway key.

    Nothing runs before `start`; leaving the block kills all.
    """

    def __init__(self, folder: Path, *, env: Mapping[str, str] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        signing, self._public = generate_key("gateway")
        teams_signing, teams_public = generate_key("teams")
        self._minter = Minter("gateway", signing)
        ports = {name: free_port() for name in SERVICES}
        origin = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        own: dict[str, dict[str, str]] = {
            "employees": {"IDENTITY_KEYS": self._public, "FEED_KEYS": teams_public},
            "teams": {"IDENTITY_KEYS": self._public, "SIGNING_KEY": teams_signing, "EMPLOYEES_URL": origin["employees"]},
            "gateway": {
                "SIGNING_KEY": signing,
                "SESSION_KEYS": "0123456789abcdef" * 4,
                "EMPLOYEES_URL": origin["employees"],
                "TEAMS_URL": origin["teams"],
                "ADMIN_PASSWORD_FILE": str(folder / "admin-password"),
            },
        }
        self._services = {name: self._service(name, ports[name], own[name], env or {}) for name in SERVICES}
        self.employees, self.teams, self.gateway = (self._services[name] for name in SERVICES)
        self._twins: list[Process] = []

    def twin(self, name: str) -> Process:
        """Another process of a service, on the same database and a port of its own; not started."""
        one, port = self._services[name], free_port()
        env = {**one.env, f"{name.upper()}_PORT": str(port)}
        found = Process(f"{name}-twin", one.command, self.folder, port=port, env=env)
        self._twins.append(found)
        return found

    def _service(self, name: str, port: int, own: Mapping[str, str], env: Mapping[str, str]) -> Process:
        prefix = f"{name.upper()}_"
        database = {"PORT": str(port), "LAME_DUCK": "0", "DATABASE_URL": f"sqlite:///{self.database(name)}"}
        settings = {prefix + field: value for field, value in {**database, **own}.items()}
        mine = {key: value for key, value in env.items() if key.startswith(prefix)}
        return Process(name, [sys.executable, "-m", name, "serve"], self.folder, port=port, env={**settings, **mine})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for service in (*self._services.values(), *self._twins):
            service.kill()
            service.release()

    def start(self, *names: str) -> None:
        """Start some services and wait until all of them are ready."""
        for name in names:
            self._services[name].start()
        for name in names:
            self._services[name].wait_ready()

    def database(self, name: str) -> Path:
        """The SQLite file of a service."""
        return self.folder / f"{name}.db"

    def bearer(self, service: str, *, account: int = 1, role: str = "admin") -> str:
        """An ``Authorization`` value that ``service`` takes, as the gateway would send it; good for 15 s at least, so ask again."""
        return "Bearer " + self._minter.mint(Caller(f"account:{account}", f"account {account}", role, "gateway"), service)

    def admin_password(self) -> str:
        """The password that the gateway gave its first account."""
        return (self.folder / "admin-password").read_text("utf-8").split()[-1]

    def log_in(self) -> str:
        """The cookie of a new session of the first account, as the value of a header."""
        credentials = {"username": "admin", "password": self.admin_password()}
        answer = httpx.post(f"{self.gateway.url}/v1/session", json=credentials, headers=PATIENT, timeout=30)
        return answer.raise_for_status().headers["set-cookie"].partition(";")[0]

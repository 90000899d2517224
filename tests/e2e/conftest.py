"""Runs of the whole of Roster as a user starts it: by `make`, with an environment that holds PATH and HOME alone."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from shared.testing.databases import postgresql_database
from shared.testing.processes import SERVICES, free_ports
from shared.testing.replicas import Replicas
from tools.client import Gateway
from tools.settings import PORTS

ROOT = Path(__file__).resolve().parent.parent.parent
BARE = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
UNLIMITED = {"GATEWAY_LOG_IN_LIMIT": "0", "GATEWAY_LOG_IN_LIMIT_ADDRESS": "0"}
"""Each test is somebody else who logs in as admin from here."""
PATIENCE = 60.0


def make(*arguments: str, root: Path = ROOT) -> list[str]:
    """A call of make that uses the environment that the tests run in, unless it is told another."""
    own = Path(sys.prefix)
    if root == ROOT and not any(argument.startswith("VENV=") for argument in arguments):
        stamps = (own / ".made", own / ".run", own / ".dev")
        old = [flag for stamp in stamps for flag in ("-o", str(stamp))]  # taken for done, however it was made
        arguments = (*old, f"VENV={own}", *arguments)
    return ["make", "--no-print-directory", *arguments]


class Door:
    """A gateway that answers at port `base`; its first account's password is in the folder `var`."""

    def __init__(self, var: Path, base: int) -> None:
        self.var = var
        self.base = base
        self.url = f"http://127.0.0.1:{base}"

    def log_in(self) -> Gateway:
        gateway = Gateway(self.url)
        gateway.log_in("admin", (self.var / "admin-password").read_text().strip())
        return gateway

    def shell(self, line: str) -> str:
        """Runs a line as if typed in the project's folder, services at their usual ports; fails as it does, or on a 4xx or 5xx."""
        for name, offset in PORTS.items():
            del name
            line = line.replace(f"127.0.0.1:{8000 + offset}", f"127.0.0.1:{self.base + offset}")
        line = re.sub(r"(?<![\w/])var/", f"{shlex.quote(str(self.var))}/", line).replace("curl -sS", "curl -sS --fail-with-body")
        done = subprocess.run(["sh", "-ec", line], cwd=ROOT, env=BARE, check=False, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout


class Run(Door):
    """One `make run`, in a session of its own as in a terminal of its own."""

    def __init__(
        self, var: Path, *arguments: str, base: int | None = None, root: Path = ROOT, environment: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(var, base or free_ports())
        self.output = var.parent / f"{var.name}.out"
        command = make("run", f"ROSTER_VAR={var}", f"ROSTER_PORT_BASE={self.base}", *arguments, root=root)
        with self.output.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                cwd=root,
                env={**BARE, **UNLIMITED, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def text(self) -> str:
        return self.output.read_text("utf-8", "replace")

    def wait_until(self, words: str, within: float = PATIENCE) -> str:
        """Waits until the output has these words; returns all of it."""
        until = time.monotonic() + within
        while words not in self.text:
            assert self._process.poll() is None, f"make run ended: {self.text}"
            assert time.monotonic() < until, f"no {words!r} within {within} s: {self.text}"
            time.sleep(0.05)
        return self.text

    def interrupt(self, number: signal.Signals = signal.SIGINT) -> int:
        """Ctrl-C as a terminal does it: the signal reaches make and what make started. Returns the exit code."""
        os.killpg(self._process.pid, number)
        return self.wait()

    def wait(self, within: float = PATIENCE) -> int:
        return self._process.wait(within)

    def services(self) -> dict[str, int]:
        """The services' process ids, by name, while they run."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command = (folder / "cmdline").read_bytes().split(b"\0")
                environment = (folder / "environ").read_bytes()
            except OSError:
                continue
            if b"serve" in command and f"{self.var}/".encode() in environment:
                found[command[command.index(b"-m") + 1].decode()] = int(folder.name)
        return found

    def stop(self) -> None:
        if self._process.poll() is None:
            self.interrupt(signal.SIGTERM)


Start = Callable[..., Run]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts runs; whatever still runs at the end of the test is stopped."""
    runs: list[Run] = []

    def begin(var: Path, *arguments: str, **options: object) -> Run:
        runs.append(Run(var, *arguments, **options))  # type: ignore[arg-type]  # passed on as they are
        return runs[-1]

    yield begin
    for run in runs:
        run.stop()


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A run with the sample directory, ready to be asked."""
    run = Run(tmp_path_factory.mktemp("sample") / "var")
    try:
        run.wait_until("What else there is")
        yield run
    finally:
        run.stop()


@contextmanager
def replicated() -> Iterator[Replicas]:
    """Two processes of each service, ready to be asked, on databases that last as long as the block."""
    with ExitStack() as stack:
        databases = {name: stack.enter_context(postgresql_database()) for name in SERVICES}
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="roster-replicas-")))
        replicas = stack.enter_context(Replicas(folder, databases, env=UNLIMITED))
        replicas.start(*SERVICES)
        yield replicas


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A run with an empty directory."""
    run = Run(tmp_path_factory.mktemp("empty") / "var", "ARGS=--no-sample")
    try:
        run.wait_until("What else there is")
        yield run
    finally:
        run.stop()

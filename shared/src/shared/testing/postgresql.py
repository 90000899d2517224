"""A PostgreSQL server of a test's own, which it may stop and start again; the one that other tests share is left alone."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import psycopg

from shared.testing.processes import NotStarted, free_port

PATIENCE: Final = 60.0
_QUICK: Final = ("fsync=off", "listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=200")


def programs() -> Path | None:
    """The folder of initdb and postgres: on the PATH, or where Debian puts them. None when they are not installed."""
    if (found := shutil.which("initdb")) is not None:
        return Path(found).resolve().parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), default=None)


class PostgreSQLServer:
    """One server on one port, with a cluster made for it; leaving the block ends and removes it. Root runs it as the user postgres."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self._programs = folder
        self._home = Path(tempfile.mkdtemp(prefix="roster-postgresql-"))
        self._who: dict[str, Any] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        if os.geteuid() == 0:
            shutil.chown(self._home, "postgres")
            self._who = {"user": "postgres", "group": "postgres", "extra_groups": []}
        options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"]
        command = [str(self._programs / "initdb"), "-D", str(self._home / "data"), *options]
        done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False, timeout=PATIENCE, **self._who)  # noqa: S603 -- our own command
        if done.returncode:
            raise NotStarted(f"initdb: {done.stderr}")
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
        shutil.rmtree(self._home, ignore_errors=True)

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        options = [part for setting in _QUICK for part in ("-c", setting)]
        command = [str(self._programs / "postgres"), "-D", str(self._home / "data"), "-p", str(self.port), *options]
        with (self._home / "log").open("ab") as log:
            self._process = process = subprocess.Popen(command, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log, **self._who)  # noqa: S603 -- our own command
        until = time.monotonic() + PATIENCE
        while not self._answers():
            if process.poll() is not None or time.monotonic() > until:
                raise NotStarted(f"PostgreSQL: {(self._home / 'log').read_text('utf-8', 'replace')[-2000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """A fast shutdown: whoever is connected is cut off."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(2)
            process.wait(PATIENCE)

    def create(self, name: str) -> str:
        """The URL of a new database."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url.rpartition("/")[0] + f"/{name}"

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

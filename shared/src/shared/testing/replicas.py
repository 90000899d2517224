"""Two processes of each service, as in a deployment at scale: those of one service share a database on PostgreSQL and a listening socket.

with Replicas(folder, {"employees": "postgresql://…", "teams": "postgresql://…", "gateway": "postgresql://…"}) as replicas:
    replicas.start("employees", "teams", "gateway")
    first, second = replicas.pairs["employees"]
    replicas.client(second)  # speaks with that very process; replicas.employees.url is answered by either
"""

import socket
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import httpx

from shared.testing.processes import SERVICES, Process, Roster

PATIENCE = 60.0
"""Seconds for a process to become ready; six start at the same time."""

READERS = "2"
"""A server of PostgreSQL for tests has a hundred connections, and many tests."""


class Replicas(Roster):
    """As a Roster of two processes each. `pairs` are they; a Roster's own names stand for their common addresses."""

    def __init__(self, folder: Path, databases: Mapping[str, str], *, env: Mapping[str, str] | None = None) -> None:
        own = {f"{name.upper()}_DATABASE_URL": url for name, url in databases.items()}
        own |= {f"{name.upper()}_READERS": READERS for name in SERVICES}
        super().__init__(folder, env={**own, **(env or {})})
        self.pairs = {name: self._pair(one) for name, one in self._services.items()}

    def _pair(self, one: Process) -> tuple[Process, Process]:
        first, second = (Process(f"{one.name}-{number}", one.command, self.folder, port=one.port, env=one.env) for number in (1, 2))
        listener = socket.create_server(("127.0.0.1", one.port), backlog=2048)
        first.hold(listener)
        second.hold(listener)
        return first, second

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for pair in self.pairs.values():
            for process in pair:
                process.kill()
                process.release()

    def start(self, *names: str) -> None:
        """Start both processes of some services, and wait until each is ready: the second while the first holds still."""
        pairs = [self.pairs[name] for name in names]
        for first, _ in pairs:
            first.start()
        for first, _ in pairs:
            first.wait_ready(PATIENCE)
        for _, second in pairs:
            second.start()
        for first, second in pairs:
            with first.frozen():
                second.wait_ready(PATIENCE)

    def client(self, process: Process, headers: Mapping[str, str] | None = None) -> httpx.Client:
        """A client whose one kept connection was accepted by this process, since its twin held still meanwhile. Both must run."""
        limits = httpx.Limits(max_connections=1, keepalive_expiry=None)
        client = httpx.Client(base_url=process.url, headers=headers, limits=limits, timeout=30, trust_env=False)
        with ExitStack() as still:
            for twin in next(pair for pair in self.pairs.values() if process in pair):
                if twin is not process:
                    still.enter_context(twin.frozen())
            client.get("/livez").raise_for_status()
        return client

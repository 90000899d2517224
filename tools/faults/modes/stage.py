"""Where a degraded mode is shown: running services with proxies between them, and curl, whose calls are written down."""

import re
import subprocess
import time
from collections.abc import Mapping
from typing import Final

from shared.testing.processes import Process
from shared.testing.proxy import Proxy
from tools.faults.directory import await_well, fill
from tools.faults.scene import Broken, Scene

SHOWN: Final = ("content-type", "retry-after", "allow", "location", "x-gateway-complete")
"""The headers that tell something of a failure; the others are left out."""
BEGIN, END = 110, 150
"""Characters of a long body that are written down."""
NOTABLE: Final = 0.25
"""Seconds from which on it is told how long an answer took."""
PATIENCE: Final = 30


class Stage:
    """The services, somebody's session, and the transcript so far. `env` are settings besides the usual ones."""

    def __init__(self, scene: Scene, name: str, env: Mapping[str, str] | None = None) -> None:
        self.scene = scene
        self.roster = scene.roster(env, name=name)
        self.employees = scene.stack.enter_context(Proxy(self.roster.employees.port))
        self.teams = scene.stack.enter_context(Proxy(self.roster.teams.port))
        self.roster.gateway.env |= {"GATEWAY_EMPLOYEES_URL": self.employees.url, "GATEWAY_TEAMS_URL": self.teams.url}
        self._jar = self.roster.folder / "cookies"
        self._ports: dict[int, int] = {}
        self._lines: list[str] = []
        self.cookie = ""

    def begin(self) -> None:
        """Start the services, fill them, and log curl in."""
        self.cookie = fill(self.roster)
        self.name(self.roster.gateway, 8000)
        self.log_in()

    def name(self, process: Process, port: int) -> None:
        """Which port a process has in the transcript."""
        self._ports[process.port] = port

    def log_in(self) -> None:
        """A session for curl; not written down."""
        user = f"admin:{self.roster.admin_password()}"
        self._run(["curl", "-sS", "-f", "-c", str(self._jar), "-u", user, "-X", "POST", f"{self.roster.gateway.url}/v1/session"])

    def await_well(self) -> None:
        """All is as before."""
        await_well(self.roster, self.cookie)

    def say(self, what: str) -> None:
        """What is done, as a comment."""
        self._lines.append(f"# {what}")

    def curl(self, path: str, *statuses: int, process: Process | None = None, options: tuple[str, ...] = (), tries: int = 1) -> None:
        """Ask the gateway, or another one; the last of so many tries is written down. Raises Broken when its status is none of those
        (0: nobody answers)."""
        url = (process or self.roster.gateway).url + path
        for _ in range(tries):
            begun = time.monotonic()
            done = self._run(["curl", "-sS", "-i", "-b", str(self._jar), *options, url], check=0 not in statuses)
            seconds = time.monotonic() - begun
            status = int(done.stdout.split()[1]) if done.stdout else 0
            if status in statuses:
                break
        shown = " ".join(part if re.fullmatch(r"[\w/:.-]+", part) else f"'{part}'" for part in (*options, url))
        self._lines.append(self._plain(f"$ curl -sS -i -b var/cookies {shown}"))
        if status not in statuses:
            raise Broken(f"{shown}: {status} instead of {statuses}: {done.stdout[-500:]}")
        took = [f"# after {seconds:.1f} s"] if seconds >= NOTABLE else []
        self._lines += [*_answer(done.stdout), *self._plain(done.stderr).splitlines(), *took, ""]

    def metric(self, name: str, labels: str) -> None:
        """Some of the gateway's figures."""
        url = f"{self.roster.gateway.url}/metrics"
        done = self._run(["curl", "-sS", url])
        found = [line for line in done.stdout.splitlines() if line.startswith(name) and labels in line]
        self._lines += [self._plain(f"$ curl -sS {url} | grep '^{name}' | grep '{labels}'"), *found, ""]

    def patch(self, path: str, text: str, *statuses: int, process: Process | None = None) -> None:
        """A write."""
        options = ("-X", "PATCH", "-H", "Content-Type: application/merge-patch+json", "-d", text)
        self.curl(path, *statuses, process=process, options=options)

    def take(self) -> list[str]:
        """The transcript, which begins anew."""
        lines, self._lines = self._lines, []
        while lines and not lines[-1]:
            lines.pop()
        return lines

    def _plain(self, text: str) -> str:
        for real, told in self._ports.items():
            text = text.replace(f"127.0.0.1:{real}", f"127.0.0.1:{told}").replace(f"port {real} ", f"port {told} ")
        return text

    def _run(self, command: list[str], *, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        if check and done.returncode:
            raise Broken(f"curl: {done.stderr}")
        return done


def _answer(text: str) -> list[str]:
    """The status, the headers that tell something, and of the body what is not said twice; nothing for no answer."""
    if not text:
        return []
    head, _, body = text.partition("\n\n")
    status, *headers = head.splitlines()
    kept = [header for header in headers if header.partition(":")[0].lower() in SHOWN]
    return [status, *kept, "", _shortened(body.strip())]


def _shortened(body: str) -> str:
    """A problem as far as its detail and its own members, anything else at its begin and its end."""
    if body.startswith('{"type":'):
        told, _, rest = body.partition(',"instance"')
        _, _, more = rest.partition('"request_id":')
        return f"{told},…{more.partition(',')[1]}{more.partition(',')[2] or '}'}"
    return body if len(body) <= BEGIN + END else f"{body[:BEGIN]} … {body[-END:]}"

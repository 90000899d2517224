"""docker-compose.yml, brought up for real: `make compose-test`. It builds the image, and takes everything down again whatever happens.

The organisation is the real one where it is beside the project, else an invented one.
"""

import json
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.testing.processes import free_port
from tests.e2e.conftest import BARE, ROOT, make
from tools import synthetic

REAL = ROOT.parent / "shared" / "data" / "kubernetes-org"
KINDS = ("employees", "teams", "memberships")
CONTAINERS = {"gateway", "employees", "teams", "postgres", "redis"}
pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.skipif(os.environ.get("ROSTER_COMPOSE_TEST") != "1", reason="needs a container engine; `make compose-test` runs it"),
]


def run(*command: str, within: float = 120, env: dict[str, str] | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=within, env={**os.environ, **(env or {})})
    assert done.returncode == 0 or not check, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done


def compose_command() -> list[str]:
    """`docker compose`, or `docker-compose` where that is what is there."""
    if shutil.which("docker") and run("docker", "compose", "version", check=False).returncode == 0:
        return ["docker", "compose"]
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    pytest.fail("neither `docker compose` nor `docker-compose` is installed")


class Stack:
    """One project of compose, of a name and a port that no other has."""

    def __init__(self, folder: Path) -> None:
        self.project = f"roster-test-{secrets.token_hex(4)}"
        self.secrets = folder / "secrets"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = [*compose_command(), "--project-name", self.project]

    def compose(self, *arguments: str, within: float = 300, check: bool = True) -> str:
        env = {"ROSTER_SECRETS": str(self.secrets), "ROSTER_PORT": str(self.port), "ROSTER_VERSION": self.project}
        return run(*self._command, *arguments, within=within, env=env, check=check).stdout

    def make(self, *arguments: str) -> str:
        command = make(*arguments, f"ROSTER_SECRETS={self.secrets}", f"ROSTER_PORT_BASE={self.port}")
        done = subprocess.run(command, cwd=ROOT, env=BARE, check=False, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def inspect(self) -> dict[str, dict[str, Any]]:
        """What the engine says of each container, by service."""
        ids = run("docker", "ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.project={self.project}").stdout.split()
        found = json.loads(run("docker", "inspect", *ids).stdout) if ids else []
        return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in found}

    def shell(self, service: str, line: str, *, check: bool = True) -> str:
        return self.compose("exec", "-T", service, "sh", "-c", line, check=check).strip()

    def wait_healthy(self, within: float = 180) -> None:
        until = time.monotonic() + within
        while (states := {name: one["State"]["Health"]["Status"] for name, one in self.inspect().items()}) != dict.fromkeys(
            CONTAINERS, "healthy"
        ):
            assert time.monotonic() < until, f"{states}\n{self.compose('logs', '--tail', '20', check=False)}"
            time.sleep(1)

    def load(self, folder: Path) -> str:
        """What `make import` prints."""
        return self.make("import", f"DIR={folder}", f"ARGS=--password-file {self.secrets / 'gateway.admin-password'}")

    @cached_property
    def cookie(self) -> str:
        """A session of the first account, the same one all the time."""
        credentials = ("admin", (self.secrets / "gateway.admin-password").read_text().strip())
        answer = httpx.post(f"{self.url}/v1/session", auth=credentials, timeout=30).raise_for_status()
        return str(answer.headers["set-cookie"]).partition(";")[0]

    def ask(self, path: str, method: str = "GET") -> httpx.Response:
        return httpx.request(method, f"{self.url}{path}", headers={"Cookie": self.cookie}, timeout=60)

    def exports(self) -> dict[str, bytes]:
        return {kind: self.ask(f"/v1/{kind}/export").raise_for_status().content for kind in KINDS}

    def down(self) -> None:
        self.compose("down", "--volumes", "--remove-orphans", check=False)
        run("docker", "image", "rm", f"roster:{self.project}", check=False)
        left = [
            line
            for kind in ("container", "volume", "network")
            for line in run("docker", kind, "ls", "--quiet", "--filter", f"label=com.docker.compose.project={self.project}").stdout.split()
        ]
        assert left == [], "compose left something behind"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("compose"))
    try:
        stack.make("secrets")
        stack.compose("build", within=900)
        stack.compose("up", "--detach", within=600)
        stack.wait_healthy()
        yield stack
    finally:
        stack.down()


@pytest.fixture(scope="module")
def organisation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if REAL.is_dir():
        return REAL
    folder = tmp_path_factory.mktemp("synthetic")
    assert synthetic.main(["--people", "1500", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def loaded(stack: Stack, organisation: Path) -> Stack:
    """The stack with the organisation in it."""
    assert stack.load(organisation).count(" 0 refused") == 3
    return stack


@pytest.mark.parametrize("service", sorted(CONTAINERS))
def test_a_container_can_do_nothing_but_its_work(stack: Stack, service: str) -> None:
    assert int(stack.shell(service, "id -u")) != 0
    status = dict(line.split(":\t", 1) for line in stack.shell(service, "cat /proc/1/status").splitlines() if ":\t" in line)
    assert {status[name].strip() for name in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"
    assert "Read-only file system" in stack.shell(service, "touch /probe /usr/probe /etc/probe 2>&1 || true")
    assert stack.inspect()[service]["HostConfig"]["ReadonlyRootfs"] is True


def test_the_gateway_s_port_is_the_only_one_published(stack: Stack) -> None:
    bindings = {name: one["HostConfig"]["PortBindings"] or {} for name, one in stack.inspect().items()}
    assert bindings == {name: {} for name in CONTAINERS} | {"gateway": {"8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(stack.port)}]}}


def test_secrets_are_files_and_nothing_else(stack: Stack) -> None:
    told = json.dumps(stack.inspect()) + run("docker", "history", "--no-trunc", f"roster:{stack.project}").stdout
    told += stack.compose("logs", "--no-color")
    texts = {path.name: path.read_text().strip() for path in stack.secrets.iterdir()}
    assert [name for name, text in texts.items() if "public" not in name and text in told] == []
    assert stack.shell("teams", "ls /run/secrets").split() == ["gateway.public.json", "teams.database-url", "teams.private.json"]


def test_the_image_has_neither_compilers_nor_tests(stack: Stack) -> None:
    assert stack.shell("employees", "for tool in gcc cc ld make git curl; do command -v $tool; done; true") == ""
    look = "from importlib.util import find_spec; print([name for name in ('pytest', 'shared.testing', 'shared') if find_spec(name)])"
    assert stack.shell("employees", f'python -c "{look}"') == "['shared']"


@pytest.mark.parametrize("service", ["employees", "teams"])
def test_a_service_s_database_is_closed_to_the_others(stack: Stack, service: str) -> None:
    url = (stack.secrets / f"{service}.database-url").read_text().strip()
    for database in sorted({"employees", "teams", "gateway"} - {service}):
        connect = f"import psycopg; psycopg.connect('{url.rpartition('/')[0]}/{database}')"
        assert "permission denied for database" in stack.shell(service, f'python -c "{connect}" 2>&1 || true')


def test_an_organisation_survives_a_restart_of_everything(loaded: Stack, organisation: Path) -> None:
    before = loaded.exports()
    assert all(text.count(b"\n") > 100 for text in before.values())
    started = {name: one["State"]["StartedAt"] for name, one in loaded.inspect().items()}

    loaded.compose("restart")
    loaded.wait_healthy()
    assert [name for name, one in loaded.inspect().items() if one["State"]["StartedAt"] == started[name]] == []
    assert loaded.exports() == before  # with the same session
    assert "nothing changed" in loaded.load(organisation)


def test_a_backup_is_put_back(loaded: Stack, tmp_path: Path) -> None:
    listed = loaded.ask("/v1/employees?limit=1").raise_for_status().json()
    before = loaded.exports()
    once = ["run", "--rm", "--no-deps", "--user", f"{os.getuid()}:{os.getgid()}", "--volume", f"{tmp_path}:/backups", "employees"]
    loaded.compose(*once, "employees", "backup", "/backups/employees")
    assert loaded.ask(f"/v1/employees/{listed['items'][0]['id']}?reassign_reports_to=none", "DELETE").status_code == 204
    loaded.compose("stop", "employees")
    loaded.compose(*once, "employees", "restore", "/backups/employees")
    loaded.compose("start", "employees")
    loaded.wait_healthy()
    assert loaded.exports()["employees"] == before["employees"]
    assert loaded.ask(f"/v1/employees?limit=1&cursor={listed['next']}").status_code == 410


@pytest.mark.parametrize(
    ("key", "steps"),
    [
        ("gateway", [("employees", "teams"), ("gateway",), ("employees", "teams")]),
        ("sessions", [("gateway",), ("gateway",), ()]),  # the last one ends what the old key signed, after 12 hours
    ],
)
def test_a_key_is_changed_and_nobody_is_logged_out(stack: Stack, key: str, steps: list[tuple[str, ...]]) -> None:
    assert stack.ask("/v1/employees").status_code == 200
    for again in steps:
        stack.make("secrets", f"ARGS=--rotate {key}")
        if again:
            stack.compose("restart", *again)
            stack.wait_healthy()
        assert stack.ask("/v1/employees").status_code == 200

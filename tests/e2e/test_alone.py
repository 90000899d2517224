"""Each service alone: by its make target, and by Quart's own command; the gateway in front of the two."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest

from shared.testing.processes import free_ports
from tests.e2e.conftest import BARE, ROOT, Run, make
from tests.e2e.test_readme import commands
from tools.client import Gateway, Refused

pytestmark = pytest.mark.timeout(180)
Launch = Callable[..., None]


def answers(port: int, path: str = "/livez") -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    """Starts a command and waits until its port answers; stops it at the end."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(command: list[str], port: int, **environment: str) -> None:
        output = tmp_path / f"{port}.out"
        with output.open("wb") as file:
            process = subprocess.Popen(command, cwd=ROOT, env={**BARE, **environment}, stdout=file, stderr=file, start_new_session=True)
        started.append(process)
        until = time.monotonic() + 60
        while not answers(port):
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < until, output.read_text()
            time.sleep(0.1)

    yield begin
    for process in reversed(started):
        with suppress(ProcessLookupError):  # it failed to start
            os.killpg(process.pid, signal.SIGINT)
    codes = [process.wait(30) for process in started]
    assert len(codes) == len(started)


def test_employees_and_teams_alone_and_the_gateway_in_front_of_them(launch: Launch, tmp_path: Path) -> None:
    base, var = free_ports(), tmp_path / "var"
    told = (f"ROSTER_VAR={var}", f"ROSTER_PORT_BASE={base}")
    launch(make("employees", *told), base + 1)
    launch(make("teams", *told), base + 2)
    for port, kind in ((base + 1, "employees"), (base + 2, "teams")):
        assert Gateway(f"http://127.0.0.1:{port}").get(f"/v1/{kind}").require() == {"items": [], "next": None}
    launch(make("gateway", *told), base)
    again = subprocess.run(make("gateway", *told), cwd=ROOT, env=BARE, check=False, capture_output=True, text=True, timeout=60)
    assert again.stderr.startswith(f"make gateway: {var}: another `make run` or `make gateway` uses it\n")
    gateway = Gateway(f"http://127.0.0.1:{base}")
    with pytest.raises(Refused, match="401"):
        gateway.get("/v1/employees").require()
    gateway.log_in("admin", (var / "admin-password").read_text().strip())
    assert gateway.get("/v1/employees").require() == {"items": [], "next": None}
    assert gateway.get("/v1/teams").require() == {"items": [], "next": None}


def test_a_gateway_alone_does_not_say_that_the_others_run(launch: Launch, tmp_path: Path) -> None:
    base = free_ports()
    launch(make("gateway", f"ROSTER_VAR={tmp_path}/var", f"ROSTER_PORT_BASE={base}"), base)
    output, until = tmp_path / f"{base}.out", time.monotonic() + 60
    while "What else there is" not in output.read_text():
        assert time.monotonic() < until, output.read_text()
        time.sleep(0.1)
    assert "Roster runs" not in output.read_text()
    assert f"The gateway runs alone, at http://127.0.0.1:{base}, and asks employees on port {base + 1}" in output.read_text()


@pytest.mark.parametrize(("service", "offset"), [("employees", 1), ("teams", 2)])
def test_a_service_alone_does_not_open_what_a_run_keeps(launch: Launch, sample: Run, service: str, offset: int) -> None:
    port = free_ports()
    launch(make(service, f"ROSTER_VAR={sample.var}", f"ROSTER_PORT_BASE={port - offset}"), port)
    assert Gateway(f"http://127.0.0.1:{port}").get(f"/v1/{service}").require()["items"] == []


@pytest.mark.parametrize(("service", "offset"), [("employees", 1), ("teams", 2)])
def test_the_readme_of_a_service_does_what_it_says(launch: Launch, tmp_path: Path, service: str, offset: int) -> None:
    base, var = free_ports(), tmp_path / "var"
    launch(make(service, f"ROSTER_VAR={var}", f"ROSTER_PORT_BASE={base}"), base + offset)
    lines = [line for line in commands(ROOT / "services" / service / "README.md") if line.startswith("curl ")]
    assert lines
    for line in lines:
        here = line.replace(f":{8000 + offset}", f":{base + offset}").replace("curl ", "curl --fail-with-body ", 1)
        done = subprocess.run(["sh", "-ec", here], cwd=tmp_path, env=BARE, check=False, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("service", ["employees", "teams"])
def test_quart_run_starts_a_service(launch: Launch, tmp_path: Path, service: str) -> None:
    port = free_ports()
    database = {f"{service.upper()}_OPEN": "true", f"{service.upper()}_DATABASE_URL": f"sqlite:///{tmp_path}/{service}.db"}
    launch([str(Path(sys.prefix, "bin", "quart")), "run", "--port", str(port)], port, QUART_APP=service, **database)
    assert Gateway(f"http://127.0.0.1:{port}").get(f"/v1/{service}").require()["items"] == []

"""`make run`: what a first start does, what a second one keeps, and what it says when it can't start."""

import json
import os
import signal
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from shared.testing.certificates import make_pair
from tests.e2e.conftest import BARE, Run, Start, make
from tools.client import Gateway

ROOT = Path(__file__).resolve().parent.parent.parent
READY = "What else there is"
pytestmark = pytest.mark.timeout(180)


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def assert_nothing_runs(run: Run) -> None:
    assert run.services() == {}
    assert all(is_free(run.base + offset) for offset in range(3))


def complaint(run: Run) -> str:
    """The one line that a failed start said, besides make's own and the first account's."""
    assert run.wait() != 0
    lines = [line for line in run.text.splitlines() if line and not line.startswith(("make: ***", "make[", "gateway: made"))]
    assert len(lines) == 1, run.text
    return lines[0]


def test_every_line_that_a_run_prints_works(sample: Run) -> None:
    lines = [line.strip() for line in sample.text.splitlines() if line.startswith("  curl")]
    answers = [sample.shell(line) for line in lines]
    assert len(lines) >= 6
    assert '"role":"admin"' in answers[0]
    assert '"username":"noah.weber"' in answers[2]
    assert "slug: platform" in answers[-2]


@pytest.mark.parametrize("host", ["127.0.0.1", "roster.example.org"])
def test_a_first_start_with_a_certificate_loads_the_sample_and_prints_lines_that_work(start: Start, tmp_path: Path, host: str) -> None:
    pair = make_pair(tmp_path, host=host)
    settings = {"GATEWAY_TLS_CERTIFICATE": str(pair.certificate), "GATEWAY_TLS_KEY": str(pair.key)}
    run = start(tmp_path / "var", environment=settings)
    run.wait_until(READY)
    lines = [line.strip() for line in run.text.splitlines() if line.startswith("  curl")]
    assert all(f"https://{host}:{run.base}" in line for line in lines)
    answers = [run.shell(line) for line in lines]
    assert '"username":"noah.weber"' in answers[2], "the sample is there"
    command = make("import", "DIR=deploy/sample", f"ROSTER_VAR={run.var}", f"ROSTER_PORT_BASE={run.base}")

    def load(env: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=ROOT, env=env, check=False, capture_output=True, text=True, timeout=60)

    again = load({**BARE, **settings})
    assert "nothing changed" in again.stdout, again.stderr
    other = make_pair(tmp_path, "other")
    wrong = load({**BARE, **settings, "GATEWAY_TLS_CERTIFICATE": str(other.certificate)})
    assert wrong.returncode != 0
    assert "another certificate" in wrong.stderr
    assert "if it speaks TLS, GATEWAY_TLS_CERTIFICATE must be set here" in load(BARE).stderr


def test_a_first_start_prints_the_password_once_and_keeps_it_for_the_owner_alone(sample: Run) -> None:
    kept = sample.var / "admin-password"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert sample.text.count(kept.read_text().strip()) == 1
    assert [log.name for log in (sample.var / "log").iterdir() if kept.read_text().strip() in log.read_text()] == []


def reset_admin(var: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = make("reset-admin", f"ROSTER_VAR={var}", *arguments)
    return subprocess.run(command, cwd=ROOT, env=BARE, check=False, capture_output=True, text=True, timeout=60)


def test_a_lost_password_is_reset_whether_it_runs_or_not(start: Start, tmp_path: Path) -> None:
    run = start(tmp_path / "var", "ARGS=--no-sample")
    run.wait_until(READY)
    path, known = run.var / "admin-password", set()
    for runs in (True, False):
        known.add(path.read_text("utf-8").strip())
        done = reset_admin(run.var)
        password = path.read_text("utf-8").strip()
        assert done.returncode == 0, done.stderr
        assert password not in known
        assert (done.stdout + done.stderr).count(password) == 1
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        if runs:
            run.log_in()
            run.interrupt()
    nowhere = reset_admin(tmp_path / "nowhere")
    assert nowhere.returncode != 0
    assert "make reset-admin: there are no accounts in" in nowhere.stderr


LOG_IN = 'curl -sS -c var/cookies -u "admin:$(cat var/admin-password)" -X POST http://127.0.0.1:8000/v1/session'


def test_the_password_of_another_account_is_reset_and_the_admin_s_file_stays(sample: Run) -> None:
    bob = """-H 'Content-Type: application/json' -d '{"username": "bob", "password": "a long enough pass phrase", "role": "viewer"}'"""
    sample.shell(LOG_IN)
    sample.shell(f"curl -sS -b var/cookies {bob} http://127.0.0.1:8000/v1/accounts")
    done = reset_admin(sample.var, "ARGS=--username BOB")
    assert "the account bob is an admin with the password " in done.stdout, done.stderr
    assert "admin-password" not in done.stdout
    sample.log_in()


def change_password(run: Run) -> None:
    run.shell(LOG_IN)
    present = (run.var / "admin-password").read_text("utf-8").strip()
    change = json.dumps({"current_password": present, "password": "another pass phrase"})
    run.shell(f"curl -sS -b var/cookies -X PUT -H 'Content-Type: application/json' -d '{change}' http://127.0.0.1:8000/v1/password")


def test_a_password_that_was_changed_prevents_no_start_and_an_import_says_what_to_do(start: Start, tmp_path: Path) -> None:
    first = start(tmp_path / "var", "ARGS=--no-sample")
    first.wait_until(READY)
    change_password(first)
    command = make("import", "DIR=deploy/sample", f"ROSTER_VAR={first.var}", f"ROSTER_PORT_BASE={first.base}")
    done = subprocess.run(command, cwd=ROOT, env=BARE, check=False, capture_output=True, text=True, timeout=60)
    assert f"write it into {first.var}/admin-password" in done.stderr
    assert "`make reset-admin`" in done.stderr
    first.interrupt()
    second = start(tmp_path / "var", base=first.base)
    assert "sample" not in second.wait_until(READY)
    second.interrupt()
    (tmp_path / "var" / "sample").unlink()
    third = start(tmp_path / "var", base=first.base)
    assert "the sample directory was not loaded: 401 Unauthorized" in third.wait_until(READY)


def test_a_second_start_keeps_the_data_and_loads_no_sample(start: Start, tmp_path: Path) -> None:
    first = start(tmp_path / "var")
    first.wait_until(READY)
    gateway = first.log_in()
    gone = gateway.get("/v1/employees?username=leo.martin").require()["items"][0]["id"]
    first.shell(LOG_IN)
    first.shell(f"curl -sS -b var/cookies -X DELETE http://127.0.0.1:8000/v1/employees/{gone}")
    first.interrupt()
    assert_nothing_runs(first)

    second = start(tmp_path / "var", base=first.base)
    text = second.wait_until(READY)
    assert "loading the sample" not in text
    assert (tmp_path / "var" / "admin-password").read_text().strip() not in text
    assert second.log_in().get("/v1/employees?count=true").require()["total"] == 24
    second.interrupt(signal.SIGTERM)
    assert_nothing_runs(second)


def test_a_service_that_is_open_is_warned_of(start: Start, tmp_path: Path) -> None:
    run = start(tmp_path / "var", "ARGS=--no-sample", environment={"EMPLOYEES_OPEN": "true", "TEAMS_OPEN": "false"})
    assert "EMPLOYEES_OPEN: employees takes everybody on this machine for an editor" in run.wait_until(READY)
    assert "TEAMS_OPEN" not in run.text
    assert Gateway(f"http://127.0.0.1:{run.base + 1}").get("/v1/employees").status == 200


@pytest.mark.parametrize("name", ["employees", "teams", "gateway"])
def test_a_service_that_dies_ends_the_run(start: Start, tmp_path: Path, name: str) -> None:
    run = start(tmp_path / "var", "ARGS=--no-sample")
    run.wait_until(READY)
    os.kill(run.services()[name], signal.SIGKILL)
    assert run.wait() != 0
    assert f"make run: {name} was killed by SIGKILL (its log: {run.var}/log/{name}.log)\n" in run.text
    assert_nothing_runs(run)


@pytest.mark.parametrize(("name", "offset"), [("gateway", 0), ("employees", 1), ("teams", 2)])
def test_a_port_in_use_is_one_line(start: Start, tmp_path: Path, name: str, offset: int, free_port: int) -> None:
    base = min(free_port, 65_000)
    with socket.create_server(("127.0.0.1", base + offset)):
        said = complaint(start(tmp_path / "var", base=base))
    assert f"port {base + offset} (for {name}) is in use" in said


def test_a_folder_that_can_not_be_written_is_one_line(start: Start, tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file, no folder")
    assert f"{tmp_path}/var: can't be written" in complaint(start(tmp_path / "var"))


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("EMPLOYEES_LOG_LEVEL", "loud", "log_level"),
        ("TEAMS_READERS", "0", "readers"),
        ("GATEWAY_SESSION_IDLE", "soon", "session_idle"),
        ("EMPLOYEES_COLOUR", "red", "colour"),
        ("EMPLOYEES_DATABASE_URL", "postgresql://127.0.0.1/employees", "on PostgreSQL: `docker compose up`"),
        ("TEAMS_HOST", "0.0.0.0", "must not be set here"),
        ("GATEWAY_PORT", "9000", "ROSTER_PORT_BASE"),
        ("GATEWAY_SIGNING_KEY", "{}", "must not be set here"),
    ],
)
def test_a_broken_setting_is_one_line(start: Start, tmp_path: Path, setting: str, value: str, said: str) -> None:
    run = start(tmp_path / "var", environment={setting: value})
    line = complaint(run)
    assert said in line
    assert setting.partition("_")[0].lower() in line.lower()
    assert_nothing_runs(run)


def test_a_second_run_on_the_same_folder_is_refused(start: Start, sample: Run) -> None:
    assert "another `make run` or `make gateway` uses it" in complaint(start(sample.var))


def test_a_python_that_is_too_old_is_one_line(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = -V ] && echo Python 3.9.2 && exit 0\nexit 1\n')
    old.chmod(0o755)
    command = ["make", "run", f"PYTHON={old}", f"VENV={tmp_path}/venv"]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=30)
    assert done.returncode != 0
    assert f"Roster needs Python 3.11 or newer, and {old} is Python 3.9.2" in done.stderr
    assert len(done.stderr.splitlines()) == 2  # ours, and make's own


def test_a_restart_refuses_nobody_and_keeps_the_rest(start: Start, tmp_path: Path) -> None:
    run = start(tmp_path / "var", "ARGS=--no-sample")
    run.wait_until(READY)
    gateway, before = run.log_in(), run.services()
    command = make("restart", f"ROSTER_VAR={run.var}", "SERVICE=employees")
    restarting = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    statuses = {gateway.get("/v1/employees?limit=1").status}
    while restarting.poll() is None:
        statuses.add(gateway.get("/v1/employees?limit=1").status)
    assert (restarting.communicate()[0].splitlines()[-1], statuses) == ("restarted: employees", {200})
    after = run.services()
    assert after["employees"] != before["employees"]
    assert (after["teams"], after["gateway"]) == (before["teams"], before["gateway"])
    run.interrupt()
    assert_nothing_runs(run)


@pytest.mark.parametrize(("service", "said"), [("payroll", "'payroll' is none of"), ("", "no `make run` uses")])
def test_a_restart_of_nothing_is_one_line(tmp_path: Path, service: str, said: str) -> None:
    command = make("restart", f"ROSTER_VAR={tmp_path}", f"SERVICE={service}")
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert done.stderr.splitlines()[0].startswith("make restart: ")
    assert said in done.stderr

"""Every command that README.md shows is run here, as it stands there and in that order."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import BARE, ROOT, Run, make

ALONE = "tests/e2e/test_alone.py"
ELSEWHERE = {
    "make run": "the fixture `sample`, and tests/e2e/test_run.py",
    "make test": "the run that this test is a part of; .ci/run",
    "make employees": ALONE,
    "make teams": ALONE,
    "make gateway": ALONE,
    "make secrets": "tests/test_tools.py, and tests/deploy/test_stack.py",
    "docker compose up --build --detach": "tests/deploy/test_stack.py",
    "EMPLOYEES_OPEN=true EMPLOYEES_DATABASE_URL=sqlite:///var/alone/employees.db QUART_APP=employees .venv/bin/quart run": ALONE,
}
pytestmark = pytest.mark.timeout(300)


def commands(path: Path) -> list[str]:
    """The lines of all shell blocks."""
    blocks = re.findall(r"^```sh\n(.*?)^```", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line and not line.startswith("#")]


def run_make(run: Run, line: str) -> str:
    arguments = [part.replace("var/", f"{run.var}/") for part in line.split()[1:]]
    command = make(*arguments, f"ROSTER_VAR={run.var}", f"ROSTER_PORT_BASE={run.base}")
    done = subprocess.run(command, cwd=ROOT, env=BARE, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_the_readme_does_what_it_says(sample: Run) -> None:
    answers = {}
    for line in commands(ROOT / "README.md"):
        if line in ELSEWHERE:
            continue
        answers[line] = run_make(sample, line) if line.startswith("make ") else sample.shell(line)
        assert answers[line] or "-X DELETE" in line or "-o " in line, line

    def answer(part: str) -> str:
        return next(text for line, text in answers.items() if part in line)

    assert '"display_name":"Kwame Boateng"' in answer("sort=-hired_on")
    assert '"total":3' in answer("q=senior+eng")
    assert "username: samuel.okoye" in answer("expand=manager")
    assert answer("/reports?depth=3").count('"id"') == 10
    assert answer("/managers").index("Oskar Lind") < answer("/managers").index("Inês Carvalho")
    assert '"paths":[["engineering","platform","storage"]]' in answer("effective-members")
    assert '"version":2' in answer("merge-patch")
    assert '"role":"viewer"' in answer("/v1/accounts")
    assert '"username":"admin"' in answer("/v1/audit?actor=admin")
    assert '"intact":true' in answer("/v1/audit/verify")
    assert answers["make verify-audit"].count("as they were written") == 3
    assert answer("/erase") == "204\n"
    assert (sample.var / "employees.csv").read_text("utf-8").count("\n") == 27
    assert "nothing changed" not in answer("DIR=var/synthetic")


def test_the_page_on_the_feed_does_what_it_says(sample: Run) -> None:
    sample.shell(next(line for line in commands(ROOT / "README.md") if "-X POST" in line and "/v1/session" in line))
    answers = [sample.shell(line) for line in commands(ROOT / "docs/feed.md")]
    first, filtered, _, stream, made, tested, log, disabled, rotated, _ = answers
    assert first.count('"cursor"') == 2
    assert '"/teams"' in filtered
    assert '"/employees"' not in filtered
    assert stream.startswith("retry: ")
    assert '"secret":"whsec_' in made
    assert '"roster.webhook.test"' in tested
    assert '"roster.webhook.test"' in log
    assert '"enabled":false' in disabled
    assert '"previous_until"' in rotated
    cursor = re.search(r'after=(\S+)>; rel="next"', sample.shell(commands(ROOT / "docs/feed.md")[2].replace("-o var/changes.json ", "")))
    assert cursor is not None


def test_every_command_of_the_readme_is_run_by_a_test() -> None:
    lines = commands(ROOT / "README.md")
    here = ("curl ", "make import ", "make synthetic ", "make audit-head", "make verify-audit")
    assert {line for line in lines if not line.startswith(here)} == set(ELSEWHERE)

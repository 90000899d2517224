"""The command: what can't be done is one line on standard error."""

import subprocess
import sys
from pathlib import Path

import pytest


def run(folder: Path, url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, open and with this database."""
    env = {"EMPLOYEES_OPEN": "true", "EMPLOYEES_PORT": "0", "EMPLOYEES_LOG_LEVEL": "error", "EMPLOYEES_DATABASE_URL": url}
    return subprocess.run(
        [sys.executable, "-m", "employees", *arguments],
        cwd=folder,
        env={"PYTHONPATH": ":".join(sys.path), **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("command", "url", "words"),
    [
        ("serve", "sqlite:///note.txt", "file is not a database"),
        ("serve", "postgresql://postgres@127.0.0.1:1/x", "refused"),
        ("migrate", "sqlite:///note.txt", "file is not a database"),
        ("migrate", "mysql://x", "database_url"),
    ],
)
def test_a_database_that_is_none_is_one_line(tmp_path: Path, command: str, url: str, words: str) -> None:
    (tmp_path / "note.txt").write_text("long enough to be taken for a database" * 50)
    done = run(tmp_path, url, command)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
    assert done.stderr.startswith("employees: ")
    assert words in done.stderr


def test_the_head_of_an_empty_log_can_be_noted_and_holds(tmp_path: Path) -> None:
    url = "sqlite:///new.db"
    assert run(tmp_path, url, "migrate").returncode == 0
    head = run(tmp_path, url, "head")
    assert head.stdout == "employees 0 -\n"
    (tmp_path / "heads").write_text(head.stdout)
    verified = run(tmp_path, url, "verify", "--head", "heads")
    assert (verified.returncode, verified.stderr) == (0, "")
    assert "0 changes, all as they were written, and with them the heads that were noted" in verified.stdout

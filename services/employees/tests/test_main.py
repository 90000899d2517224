"""The command: what can't be done is one line on standard error."""

import subprocess
import sys
from pathlib import Path

import pytest


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
    env = {"EMPLOYEES_OPEN": "true", "EMPLOYEES_PORT": "0", "EMPLOYEES_LOG_LEVEL": "error", "EMPLOYEES_DATABASE_URL": url}
    done = subprocess.run(
        [sys.executable, "-m", "employees", command],
        cwd=tmp_path,
        env={"PYTHONPATH": ":".join(sys.path), **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
    assert done.stderr.startswith("employees: ")
    assert words in done.stderr

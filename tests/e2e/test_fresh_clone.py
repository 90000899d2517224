"""`make run` in a fresh clone, with nothing but PATH and HOME: it makes its environment from the lock file.

Takes a minute and a registry.
"""

import os
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import BARE, ROOT, Start

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        os.environ.get("ROSTER_REQUIRE_SERVICES") != "1", reason="downloads an environment; CI runs it (ROSTER_REQUIRE_SERVICES=1)"
    ),
]


def test_make_run_needs_nothing_but_python_and_make(start: Start, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True, env=BARE, timeout=60)
    first = start(clone / "var", root=clone)
    text = first.wait_until("What else there is", within=400)
    assert "installing requirements.txt" in text
    first.interrupt()

    second = start(clone / "var", root=clone)
    assert "installing" not in second.wait_until("What else there is")
    assert second.log_in().get("/v1/employees?count=true").require()["total"] == 25
    second.interrupt()

    status = subprocess.run(["git", "status", "--porcelain"], cwd=clone, check=True, capture_output=True, text=True, timeout=30)
    assert status.stdout.splitlines() == ["?? var.out"]  # this test's own; whatever a run makes is ignored

"""`make faults` still works: each scenario, small and short. Among them are the degraded modes, each answered as it is documented."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.faults.scenarios import SCENARIOS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", [name for name in SCENARIOS if name != "matrix"])  # which is test_matrix.py
def test_a_scenario_runs(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tools.faults", "--quick", "--var", str(tmp_path / "faults"), name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=390, check=False)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    assert [line.split()[0] for line in done.stdout.splitlines()] == [name]
    if "left out" in done.stdout:
        assert os.environ.get("ROSTER_REQUIRE_SERVICES") != "1", done.stdout
        pytest.skip(done.stdout)

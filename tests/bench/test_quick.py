"""The benchmarks still run: all of them, small and short. What they measure so is worth nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench.scenarios import SCENARIOS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(300)
def test_every_scenario_runs(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench", "--quick", "--var", str(tmp_path / "bench")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    rows = {line.split()[0] for line in done.stdout.splitlines() if line.endswith((" yes", " no", " –"))}
    assert rows == {"import", "export", "writes", *SCENARIOS} - {"memory"}

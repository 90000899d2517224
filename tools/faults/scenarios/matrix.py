"""Each fault of a network on each link, to reads and writes: tests/faults/test_matrix.py, again and again."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

from tools.faults.scene import Broken, Figure, Scene

ROOT = Path(__file__).resolve().parents[3]
WITHIN = 1_800


def run(scene: Scene) -> Figure:
    begun = time.monotonic()
    some = ["-k", "down"] if scene.scale.rounds == 1 else []
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/faults/test_matrix.py", *some]
    env = {**os.environ, "ROSTER_FAULT_ROUNDS": str(scene.scale.rounds)}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=WITHIN, check=False)
    if done.returncode or (found := re.search(r"(\d+) passed", done.stdout)) is None:
        raise Broken(f"tests/faults/test_matrix.py: {done.stdout[-3000:]}{done.stderr[-1000:]}")
    line = (
        f"{found[1]} cells of fault × link, a read and a write each: none hung, none answered wrongly, nothing left behind, "
        f"all well after it ({time.monotonic() - begun:.0f} s)"
    )
    return Figure(line, reached=True)

"""`python -m tools.contracts.exercise [minutes] [seed]`: Schemathesis with other requests each time, on one service after the other."""

import secrets
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any, Final

from tools.contracts.exercise.coverage import coverage_of
from tools.contracts.exercise.door import LEAVES, door
from tools.contracts.exercise.fuzz import Findings, Plan, fuzz
from tools.contracts.exercise.services import employees_stage, teams_stage

STAGES: Final = (employees_stage, teams_stage)
EXAMPLES: Final = 400


def main(minutes: float, seed: int) -> int:
    """Print what was found; 1 when there is a fault."""
    each = minutes * 60 / (len(STAGES) + 1)
    faults = 0
    for make_stage in STAGES:
        with tempfile.TemporaryDirectory() as folder:
            stage = make_stage(Path(folder))
            app = stage.make_app(database_url=stage.database_url)
            plan = Plan(examples=EXAMPLES, seed=seed, until=time.monotonic() + each)
            faults += told(stage.service, app, fuzz(app, partial(stage.headers, "editor"), plan), seed)
    with tempfile.TemporaryDirectory() as folder, door(Path(folder)) as found:
        plan = Plan(examples=EXAMPLES, seed=seed, until=time.monotonic() + each, leaves=LEAVES)
        faults += told("gateway", found.app, fuzz(found.app, found.headers, plan, found.open), seed)
    return int(faults > 0)


def told(service: str, app: Any, found: Findings, seed: int) -> int:
    """Print what was found at one service; the number of its faults."""
    print(f"{service}, seed {seed}: {len(found.seen)} requests, {len(found.faults)} faults\n{found.text()}")
    print(coverage_of(app.extensions["openapi"](), found.seen).table())
    return len(found.faults)


if __name__ == "__main__":
    given = sys.argv[1:]
    sys.exit(main(float(given[0]) if given else 5, int(given[1]) if len(given) > 1 else secrets.randbelow(2**31)))

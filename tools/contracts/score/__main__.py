"""`python -m tools.contracts.score [step]`: the score of each service; fails below the least share, or on a false alarm."""

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Final

from shared.testing.answers import Rules
from tools.contracts.exercise.services import employees_stage, teams_stage
from tools.contracts.exercise.stage import Stage
from tools.contracts.score.lived import disagreements
from tools.contracts.score.run import Score, all_mutants, pairs_of, score_of

LEAST: Final = 0.95
LIVED: Final = 20
SURVIVORS: Final = 4
"""Mutants of a service, and survivors among them, that are also lived."""
STAGES: Final = (employees_stage, teams_stage)


def main(step: int) -> int:
    """Print all scores; 1 when one is too low."""
    begun, faults = time.monotonic(), list[str]()
    with tempfile.TemporaryDirectory() as folder:
        scores = [asyncio.run(score(make_stage, Path(folder), step)) for make_stage in STAGES]
    for one in scores:
        print(one.text())
        faults += one.disagreements
    caught, total = sum(sum(one.caught.values()) for one in scores), sum(one.total for one in scores)
    seconds = time.monotonic() - begun
    print(f"contract mutation score: {caught / total:.2%} ({caught} of {total}) in {seconds:.0f} s; {LEAST:.0%} is the least")
    return int(caught / total < LEAST or bool(faults) or any(one.false_alarms for one in scores))


async def score(make_stage: Callable[[Path], Stage], folder: Path, step: int) -> Score:
    """Exercise a service, judge its mutants, and live some of them."""
    stage = make_stage(folder)
    with redirect_stderr(StringIO()):
        record = await stage.perform()
    document = stage.app.extensions["openapi"]()
    found = score_of(stage.service, document, stage.operations, record, step)
    pairs = pairs_of(Rules(document), record)
    every = [*all_mutants(stage.operations, pairs)]
    found.sample = [*every[:: max(len(every) // LIVED, 1)], *found.survivors[:SURVIVORS]]
    with redirect_stderr(StringIO()):
        found.disagreements = await disagreements(make_stage, found.sample, pairs, document)
    return found


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1))

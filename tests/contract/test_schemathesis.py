"""Schemathesis on each service alone, and on the gateway with both behind it: all checks, with state, the same requests each time.

`make fuzz` tries others, and longer.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tools.contracts.exercise.door import LEAVES, door
from tools.contracts.exercise.fuzz import Plan, fuzz
from tools.contracts.exercise.services import employees_stage, teams_stage
from tools.contracts.exercise.stage import Stage

pytestmark = pytest.mark.filterwarnings("ignore:Do not use the .random. module inside strategies")  # Schemathesis does, once
LONG = 600
"""Seconds: 20 of a processor that is free, many more on one that is not."""


@pytest.mark.timeout(LONG)
@pytest.mark.parametrize("make_stage", [employees_stage, teams_stage])
def test_no_request_brings_a_fault_to_light(make_stage: Callable[[Path], Stage], tmp_path: Path) -> None:
    stage = make_stage(tmp_path)
    found = fuzz(stage.make_app(database_url=stage.database_url), lambda: stage.headers("editor"), Plan(examples=5))
    assert not found.faults, found.text()
    assert len(found.seen) > 1000


@pytest.mark.timeout(LONG)
def test_no_request_brings_a_fault_to_light_at_the_gateway(tmp_path: Path) -> None:
    """The bounds of what is forwarded are its services', and are tried there."""
    with door(tmp_path) as found:
        plan = Plan(examples=3, phases=("examples", "fuzzing", "stateful"), leaves=LEAVES)
        findings = fuzz(found.app, found.headers, plan, found.open)
    assert not findings.faults, findings.text()
    assert len(findings.seen) > 100

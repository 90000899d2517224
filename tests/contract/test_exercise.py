"""Every operation is asked for every answer that its document tells of, and gives it as today's and the released documents say.

`-s` shows the table: operations by statuses, and how often each was answered.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from shared.testing.answers import Rules, Seen
from tools.contracts.documents import current, load
from tools.contracts.exercise.coverage import coverage_of
from tools.contracts.exercise.door import door
from tools.contracts.exercise.gate import Gate
from tools.contracts.exercise.services import employees_stage, teams_stage
from tools.contracts.exercise.stage import Stage


@pytest.mark.parametrize("make_stage", [employees_stage, teams_stage])
async def test_every_documented_answer_is_given(make_stage: Callable[[Path], Stage], tmp_path: Path) -> None:
    stage = make_stage(tmp_path)
    record = await stage.perform()
    document = stage.app.extensions["openapi"]()
    rules = Rules(document)
    assert [fault for one in record for fault in one.faults(rules)] == []
    covered = coverage_of(document, [one.seen for one in record])
    print(f"\n{stage.service}\n{covered.table()}")  # noqa: T201 - the coverage is to be seen
    assert covered.missing == []
    for version, path in current(stage.service).items():
        promise = Rules(load(path), additions=True)
        assert [(version, fault) for one in record if is_promised(promise, one.seen) for fault in promise.faults(one.seen)] == []


async def test_the_gateway_gives_every_documented_answer(tmp_path: Path) -> None:
    """With its services and without them, all that its document tells of."""
    with door(tmp_path) as found:
        gate = Gate(found)
        record = await gate.perform()
        document = found.app.extensions["openapi"]()
    rules = Rules(document)
    covered = coverage_of(document, [one.seen for one in record])
    print(f"\ngateway\n{covered.table()}")  # noqa: T201 - the coverage is to be seen
    assert [fault for one in record for fault in one.faults(rules)] == []
    assert covered.missing == []


def is_promised(promise: Rules, seen: Seen) -> bool:
    """Whether a release tells of this operation with these parameters and this status."""
    operation = promise.operation(seen)
    if operation is None:
        return False
    known = {promise.found(one)["name"] for one in operation.get("parameters", ())}
    return (seen.given <= known or seen.status == 400) and str(seen.status) in operation["responses"]

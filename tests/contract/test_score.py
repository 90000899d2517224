"""A quick sample of the contract mutation score, so that it can't rot; `make contract-score` runs all of it."""

from pathlib import Path

import pytest

from shared.testing.answers import Rules
from tools.contracts.exercise.services import employees_stage
from tools.contracts.exercise.stage import Answered
from tools.contracts.score.lived import disagreements
from tools.contracts.score.run import all_mutants, pairs_of, score_of

STEP = 40


@pytest.mark.timeout(300)
async def test_a_sample_of_the_mutants_is_caught_and_lives_as_it_is_judged(tmp_path: Path) -> None:
    stage = employees_stage(tmp_path)
    record: list[Answered] = await stage.perform()
    document = stage.app.extensions["openapi"]()
    score = score_of(stage.service, document, stage.operations, record, STEP)
    assert score.false_alarms == []
    assert score.total > 100
    assert score.share >= 0.95, score.text()
    pairs = pairs_of(Rules(document), record)
    sample = [*all_mutants(stage.operations, pairs)][100::2500]
    assert await disagreements(employees_stage, sample, pairs, document) == []

"""How long a request may take, and what of it the services get."""

import math

import pytest

from gateway.edge.deadlines import for_services, set_deadline
from shared.exchange import Exchange


def exchange(asked: float | None) -> Exchange:
    made = Exchange()
    made.started = 1000.0
    made.asked = asked
    return made


@pytest.mark.parametrize(
    ("asked", "budget", "total", "kept"),
    [
        (None, None, 2.0, 0.3),
        (1.0, None, 1.0, 0.15),
        (0.1, None, 0.1, 0.02),
        (0.01, None, 0.05, 0.02),
        (60.0, None, 10.0, 1.5),
        (5.0, 30.0, 5.0, 0.75),
        (None, 30.0, 30.0, 1.5),
        (20.0, math.inf, 20.0, 1.5),
    ],
)
def test_a_part_of_the_time_is_kept_back(asked: float | None, budget: float | None, total: float, kept: float) -> None:
    made = exchange(asked)
    set_deadline(made, budget, 2.0)
    assert made.deadline == pytest.approx(1000 + total)
    assert for_services(made) == pytest.approx(1000 + total - kept)


def test_without_an_end_there_is_nothing_to_keep() -> None:
    made = exchange(None)
    set_deadline(made, math.inf, 2.0)
    assert made.deadline is None
    assert for_services(made) is None

"""A service that is killed in the middle of writes loses nothing that it has acknowledged, and comes back whole."""

import os
from collections.abc import Awaitable, Callable

import pytest

from shared.testing.processes import Roster
from shared.testing.writers import Ledger
from tools.faults.kills import LEAST, kill_employees, kill_gateway, kill_teams

ROUNDS = int(os.environ.get("ROSTER_KILL_ROUNDS", "20"))

pytestmark = pytest.mark.timeout(600)


@pytest.mark.parametrize("kill", [kill_employees, kill_teams, kill_gateway], ids=["employees", "teams", "gateway"])
async def test_no_acknowledged_write_is_lost(roster: Roster, kill: Callable[[Roster, int], Awaitable[Ledger]]) -> None:
    assert (await kill(roster, ROUNDS)).acknowledged >= ROUNDS * LEAST

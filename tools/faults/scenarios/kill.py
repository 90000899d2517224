"""kill -9 in the middle of writes: what was acknowledged is there afterwards, the file is sound, the chain of changes verifies."""

import asyncio

from tools.faults.kills import kill_employees, kill_gateway, kill_teams
from tools.faults.scene import Broken, Figure, Scene


def run(scene: Scene) -> Figure:
    written = 0
    for kill in (kill_employees, kill_teams, kill_gateway):
        try:
            ledger = asyncio.run(kill(scene.roster(name=kill.__name__), scene.scale.kills))
        except AssertionError as error:
            raise Broken(f"{kill.__name__}: {error}") from error
        written += ledger.acknowledged
    line = (
        f"3 services killed {scene.scale.kills} times each in the middle of writes: {written:,} acknowledged, 0 lost, every chain verified"
    )
    return Figure(line, reached=True)

"""Database servers of a scenario's own, where their programs are installed."""

from shared.testing.postgresql import PostgreSQLServer, programs
from tools.faults.scene import Missing, Scene


def own_postgresql(scene: Scene) -> PostgreSQLServer:
    """A PostgreSQL server for this scenario. Raises Missing where none is installed."""
    if (folder := programs()) is None:
        raise Missing("PostgreSQL is not installed")
    return scene.stack.enter_context(PostgreSQLServer(folder))

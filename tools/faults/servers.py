"""Database servers of a scenario's own, where their programs are installed."""

import shutil

from shared.testing.postgresql import PostgreSQLServer, programs
from shared.testing.redis import RedisServer
from tools.faults.scene import Missing, Scene


def own_postgresql(scene: Scene) -> PostgreSQLServer:
    """A PostgreSQL server for this scenario. Raises Missing where none is installed."""
    if (folder := programs()) is None:
        raise Missing("PostgreSQL is not installed")
    return scene.stack.enter_context(PostgreSQLServer(folder))


def own_redis(scene: Scene) -> RedisServer:
    """A Redis for this scenario, running. Raises Missing where none is installed."""
    if (program := shutil.which("redis-server")) is None:
        raise Missing("Redis is not installed")
    server = RedisServer(program, scene.folder)
    scene.stack.callback(server.kill)
    server.start()
    return server

"""Modes in which a database can't do its work."""

import resource
import sqlite3
from contextlib import closing

from tools.faults.modes.stage import Stage
from tools.faults.servers import own_postgresql, own_redis

PATCH = '{"title": "Engineer"}'


def database_locked(stage: Stage) -> None:
    with closing(sqlite3.connect(stage.roster.database("employees"), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        stage.say("another program holds the write lock of employees' SQLite file")
        stage.curl("/v1/employees/1", 200)
        stage.patch("/v1/employees/1", PATCH, 503, 504)
        other.execute("ROLLBACK")
    stage.await_well()
    stage.say("and lets it go")
    stage.patch("/v1/employees/1", PATCH, 200)


def disk_full(stage: Stage) -> None:
    """A limit on the size of files does to the process what a full disk does: nothing can be written, not even its log."""
    pid = stage.roster.employees.pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))
    stage.say("the disk of employees is full")
    stage.patch("/v1/employees/1", '{"title": "Captain"}', 503)
    stage.curl("/v1/employees/1", 200)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
    stage.await_well()
    stage.say("there is room again")
    stage.patch("/v1/employees/1", '{"title": "Captain"}', 200)


def postgresql_restarted(stage: Stage) -> None:
    server = own_postgresql(stage.scene)
    stage.roster.employees.env["EMPLOYEES_DATABASE_URL"] = server.create("employees")
    stage.begin()
    server.stop()
    stage.say("PostgreSQL is stopped")
    stage.curl("/v1/employees/1", 503)
    stage.patch("/v1/employees/1", PATCH, 503)
    stage.name(stage.roster.employees, 8001)
    stage.curl("/readyz", 503, process=stage.roster.employees)
    server.start()
    stage.await_well()
    stage.say("and started again")
    stage.curl("/v1/employees/1", 200)
    stage.patch("/v1/employees/1", PATCH, 200)


def redis_gone(stage: Stage) -> None:
    redis = own_redis(stage.scene)
    stage.roster.gateway.env["GATEWAY_REDIS_URL"] = redis.url
    stage.begin()
    stage.say("GATEWAY_REDIS_URL is set, and Redis runs")
    stage.curl("/v1/session", 200)
    redis.kill()
    stage.say("Redis is killed; a second later")
    stage.curl("/v1/session", 503, tries=500)
    stage.curl("/livez", 200)
    redis.start()
    stage.await_well()
    stage.say("Redis is started again, empty")
    stage.curl("/v1/session", 200)

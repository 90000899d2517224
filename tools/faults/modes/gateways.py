"""Modes in which the gateway's keys, its clock or one of its processes are not what they were."""

import secrets

from tools.faults.modes.stage import Stage
from tools.faults.scenarios.revoke import second
from tools.faults.servers import own_postgresql

HOUR = "3600"


def one_gateway_of_two(stage: Stage) -> None:
    stage.roster.gateway.env["GATEWAY_DATABASE_URL"] = own_postgresql(stage.scene).create("gateway")
    stage.begin()
    other = second(stage.scene, stage.roster.gateway)
    stage.name(other, 8100)
    stage.say("two gateway processes on one PostgreSQL database: a session of one counts at the other")
    stage.curl("/v1/employees/1?fields=id,username", 200, process=other)
    other.kill()
    stage.say("one of them is killed")
    stage.curl("/v1/employees/1?fields=id,username", 0, process=other)
    stage.curl("/v1/employees/1?fields=id,username", 200)


def key_rotated(stage: Stage) -> None:
    gateway = stage.roster.gateway
    old, new = gateway.env["GATEWAY_SESSION_KEYS"], secrets.token_urlsafe(48)
    _restart(stage, GATEWAY_SESSION_KEYS=f"{new},{old}")
    stage.say("GATEWAY_SESSION_KEYS: the new key first, the old one behind it; the gateway was restarted")
    stage.curl("/v1/session", 200)
    _restart(stage, GATEWAY_SESSION_KEYS=new)
    stage.say("the old key has been removed")
    stage.curl("/v1/session", 401)
    stage.log_in()
    stage.cookie = stage.roster.log_in()
    stage.say("after logging in again")
    stage.curl("/v1/session", 200)


def clock_off(stage: Stage) -> None:
    gateway = stage.roster.gateway
    right = gateway.command
    gateway.command = [right[0], "-m", "tools.faults.clock", HOUR, *right[2:]]
    _restart(stage)
    stage.log_in()
    stage.say("the gateway's clock is an hour ahead of the services'; after logging in again")
    stage.curl("/v1/session", 200)
    stage.curl("/v1/employees/1", 502)
    gateway.command = right
    _restart(stage)
    stage.log_in()
    stage.cookie = stage.roster.log_in()
    stage.await_well()
    stage.say("the clock is right again")
    stage.curl("/v1/employees/1", 200)


def _restart(stage: Stage, **env: str) -> None:
    gateway = stage.roster.gateway
    gateway.stop()
    gateway.env |= env
    gateway.start()
    gateway.wait_ready()

"""All keys are changed under load: those of sessions, and those with which the gateway and teams sign. No request fails."""

import time

import httpx
import msgspec

from shared.identity import generate_key
from shared.testing.processes import Process, Roster
from tools.faults.directory import fill
from tools.faults.load import Load, get, percentile, statuses
from tools.faults.scene import Broken, Figure, Scene

TARGETS = ("/v1/employees/1", "/v1/teams/1", "/v1/employees/1?expand=teams", "/v1/session")
SESSION_KEY = "fedcba9876543210" * 4


def run(scene: Scene) -> Figure:
    roster = scene.held()
    cookies = [fill(roster)]
    old = cookies[0]
    with Load(roster.gateway.url, scene.scale.rate / 4, lambda number: get(TARGETS[number % len(TARGETS)], cookies[-1]), most=600) as load:
        time.sleep(1)
        steps = _rotate_session_keys(roster, cookies) + _rotate_signing_keys(roster) + _rotate_feed_keys(roster)
        time.sleep(1)
    if failed := [sample for sample in load.samples if sample.status != 200]:
        raise Broken(f"{len(failed)} of {len(load.samples)} failed while keys were rotated; the first: {failed[0]}")
    if (status := httpx.get(f"{roster.gateway.url}/v1/session", headers={"Cookie": old}, timeout=30).status_code) != 401:
        raise Broken(f"a cookie of a key that was removed is answered with {status}")
    line = (
        f"session keys and both signing keys rotated in {steps} restarts under {scene.scale.rate / 4:.0f} requests/s: "
        f"{statuses(sample.status for sample in load.samples)}, 0 failed, p99 {percentile(load.samples, 0.99) * 1e3:,.0f} ms; "
        f"a cookie of the removed key is a 401"
    )
    return Figure(line, reached=True)


def _rotate_session_keys(roster: Roster, cookies: list[str]) -> int:
    """The new key behind the old one, so that every process takes it; then before it, so that it signs; after new log-ins, alone."""
    old = roster.gateway.env["GATEWAY_SESSION_KEYS"]
    for keys in (f"{old},{SESSION_KEY}", f"{SESSION_KEY},{old}"):
        _restart(roster.gateway, GATEWAY_SESSION_KEYS=keys)
    cookies.append(roster.log_in())
    time.sleep(1)  # until the last request with the old one is answered
    _restart(roster.gateway, GATEWAY_SESSION_KEYS=SESSION_KEY)
    return 3


def _rotate_signing_keys(roster: Roster) -> int:
    """The services take both keys, then the gateway signs with the new one, then they take that one alone."""
    private, public = generate_key("gateway-2")
    both = _joined(roster.employees.env["EMPLOYEES_IDENTITY_KEYS"], public)
    _restart(roster.employees, EMPLOYEES_IDENTITY_KEYS=both)
    _restart(roster.teams, TEAMS_IDENTITY_KEYS=both)
    _restart(roster.gateway, GATEWAY_SIGNING_KEY=private)
    _restart(roster.employees, EMPLOYEES_IDENTITY_KEYS=public)
    _restart(roster.teams, TEAMS_IDENTITY_KEYS=public)
    return 5


def _rotate_feed_keys(roster: Roster) -> int:
    """The same for the key with which teams asks for the feed of employees."""
    private, public = generate_key("teams-2")
    _restart(roster.employees, EMPLOYEES_FEED_KEYS=_joined(roster.employees.env["EMPLOYEES_FEED_KEYS"], public))
    _restart(roster.teams, TEAMS_SIGNING_KEY=private)
    _restart(roster.employees, EMPLOYEES_FEED_KEYS=public)
    return 3


def _restart(service: Process, **env: str) -> None:
    service.env |= env
    service.restart()


def _joined(*sets: str) -> str:
    """One JWKS with the keys of several."""
    return msgspec.json.encode({"keys": [key for text in sets for key in msgspec.json.decode(text)["keys"]]}).decode()

"""All keys are changed under load, by the steps of `make secrets` and by `make restart`: of sessions, the gateway and teams."""

import time
from pathlib import Path

import httpx

from tools.faults.directory import bring_in
from tools.faults.load import Load, failures, get, in_turn, percentile, statuses
from tools.faults.scene import Broken, Figure, Scene
from tools.faults.supervised import Supervised
from tools.secrets import rotate_session_keys, rotate_signing_key

RATE = 50.0
TARGETS = ("/v1/employees/1", "/v1/teams/1", "/v1/employees/1?expand=teams", "/v1/session")
PAUSE = 1.0


def run(scene: Scene) -> Figure:
    roster = scene.stack.enter_context(Supervised(scene, {}))
    cookie = roster.log_in()
    bring_in(roster.url, cookie)
    keys = Path(roster.place.key("session"))
    keys.rename(keys.with_name("gateway.session-keys"))  # the name that it has in a deployment, where the command looks for it
    keys.symlink_to("gateway.session-keys")
    with _load(roster, cookie) as before:
        time.sleep(PAUSE)
        for _ in range(2):
            rotate_session_keys(keys.parent)
            roster.restart("gateway")
    with _load(roster, roster.log_in()) as after:  # before the last step everybody logs in again
        rotate_session_keys(keys.parent)
        roster.restart("gateway")
        _rotate_signing_key(roster, "gateway", takers=("employees", "teams"))
        _rotate_signing_key(roster, "teams", takers=("employees",))
        time.sleep(PAUSE)
    samples = before.samples + after.samples
    failed = failures(samples, besides={504})
    if (status := httpx.get(f"{roster.url}/v1/session", headers={"Cookie": cookie}, timeout=30).status_code) != 401:
        raise Broken(f"a cookie of a key that was removed is answered with {status}")
    line = (
        f"session keys and both signing keys rotated under {RATE:.0f} requests/s: {statuses(sample.status for sample in samples)}, "
        f"{failed} failed, p99 {percentile(samples, 0.99) * 1e3:,.0f} ms; a cookie of the removed key is a 401"
    )
    return Figure(line, reached=not failed)


def _load(roster: Supervised, cookie: str) -> Load:
    return Load(roster.url, RATE, in_turn([get(target, cookie) for target in TARGETS]), most=900)


def _rotate_signing_key(roster: Supervised, signer: str, takers: tuple[str, ...]) -> None:
    """`takers` have the public keys."""
    for services in (takers, (signer,), takers):
        rotate_signing_key(Path(roster.place.key("session")).parent, signer)
        roster.restart(*services)

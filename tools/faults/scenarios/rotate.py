"""All keys are changed under load, by files and `make restart`: those of sessions, and those with which the gateway and teams sign.

Each in three steps, so that at any time every process takes what any other makes: the new key is taken, then it is used, then the old one
is no longer taken.
"""

import secrets
import time
from pathlib import Path

import httpx
import msgspec

from shared.identity import generate_key
from tools.faults.directory import bring_in
from tools.faults.load import Load, get, percentile, statuses
from tools.faults.scene import Broken, Figure, Scene
from tools.faults.supervised import Supervised

RATE = 50.0
TARGETS = ("/v1/employees/1", "/v1/teams/1", "/v1/employees/1?expand=teams", "/v1/session")
PAUSE = 1.0


def run(scene: Scene) -> Figure:
    roster = scene.stack.enter_context(Supervised(scene, {}))
    cookies = [roster.log_in()]
    bring_in(roster.url, cookies[0])
    with Load(roster.url, RATE, lambda number: get(TARGETS[number % len(TARGETS)], cookies[-1]), most=900) as load:
        time.sleep(PAUSE)
        _rotate_session_keys(roster, cookies)
        _rotate_signing_keys(roster, "gateway", takers=("employees", "teams"))
        _rotate_signing_keys(roster, "teams", takers=("employees",))
        time.sleep(PAUSE)
    if failed := [sample for sample in load.samples if sample.status != 200]:
        raise Broken(f"{len(failed)} of {len(load.samples)} failed while keys were rotated; the first: {failed[0]}")
    if (status := httpx.get(f"{roster.url}/v1/session", headers={"Cookie": cookies[0]}, timeout=30).status_code) != 401:
        raise Broken(f"a cookie of a key that was removed is answered with {status}")
    line = (
        f"session keys and both signing keys rotated under {RATE:.0f} requests/s: {statuses(sample.status for sample in load.samples)}, "
        f"0 failed, p99 {percentile(load.samples, 0.99) * 1e3:,.0f} ms; a cookie of the removed key is a 401"
    )
    return Figure(line, reached=True)


def _rotate_session_keys(roster: Supervised, cookies: list[str]) -> None:
    """The first key signs, all verify."""
    file = Path(roster.place.key("session"))
    old, new = file.read_text("utf-8").strip(), secrets.token_urlsafe(48)
    for keys in (f"{old}\n{new}\n", f"{new}\n{old}\n"):
        file.write_text(keys, "utf-8")
        roster.restart("gateway")
    cookies.append(roster.log_in())
    time.sleep(PAUSE)  # until the last request with the old one is answered
    file.write_text(f"{new}\n", "utf-8")
    roster.restart("gateway")


def _rotate_signing_keys(roster: Supervised, signer: str, takers: tuple[str, ...]) -> None:
    """`takers` have the public keys."""
    private, public = (Path(roster.place.key(f"{signer}.{half}.json")) for half in ("private", "public"))
    new, taken = generate_key(f"{signer}-{secrets.token_hex(4)}")
    public.write_text(_joined(public.read_text("utf-8"), taken), "utf-8")
    roster.restart(*takers)
    private.write_text(new, "utf-8")
    roster.restart(signer)
    public.write_text(taken, "utf-8")
    roster.restart(*takers)


def _joined(*sets: str) -> str:
    """One JWKS with the keys of several."""
    return msgspec.json.encode({"keys": [key for text in sets for key in msgspec.json.decode(text)["keys"]]}).decode()

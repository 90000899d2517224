"""Where a run on this machine keeps what, and the settings and keys that its services get."""

import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shared.identity import generate_key
from tools.processes import Fault, Service

PORTS = {"gateway": 0, "employees": 1, "teams": 2}
DECIDED = (
    "must not be set here: data, keys and addresses follow from ROSTER_VAR and ROSTER_PORT_BASE;"
    ' on PostgreSQL: `docker compose up`, or docs/operations.md, "On a server"'
)


@dataclass(frozen=True, slots=True)
class Place:
    """The folder for all data, and the first of three ports."""

    var: Path
    port_base: int

    def port(self, service: str) -> int:
        return self.port_base + PORTS[service]

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.port(service)}"

    @property
    def password(self) -> Path:
        return self.var / "admin-password"

    @property
    def sample(self) -> Path:
        """Says how far the sample directory is loaded."""
        return self.var / "sample"

    def key(self, name: str) -> str:
        return str(self.var / "keys" / name)


def make_keys(place: Place) -> None:
    """Development keys, made where they are missing: the gateway's and teams' signing keys, and the key of the session cookie."""
    folder = place.var / "keys"
    folder.mkdir(mode=0o700, exist_ok=True)
    for name in ("gateway", "teams"):
        write_missing(folder, key_pair(name))
    write_missing(folder, {"session": secrets.token_urlsafe(64)})


def key_pair(name: str) -> dict[str, str]:
    """The files of a new signing key: its private half, and the public one that others get."""
    private, public = generate_key()
    return {f"{name}.private.json": private, f"{name}.public.json": public}


def write_missing(folder: Path, files: Mapping[str, str], mode: int = 0o600) -> None:
    """Write files that belong together (by name, their text), unless all of them are there."""
    if not all((folder / name).exists() for name in files):
        for name, text in files.items():
            write_file(folder / name, text, mode)


def write_file(path: Path, text: str, mode: int) -> None:
    """For the owner's eyes only until it is whole; never half a file."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text + "\n")
        os.fchmod(file.fileno(), mode)
    part.replace(path)


def make_services(place: Place) -> list[Service]:
    """The three services; whatever else the environment sets for one of them, its log level say, stays in force.

    Raises Fault where it sets what is decided here: a database or a port that is not taken would be missed too late.
    """
    gateway_keys = place.key("gateway.public.json")
    settings = {
        "employees": {"IDENTITY_KEYS_FILE": gateway_keys, "FEED_KEYS_FILE": place.key("teams.public.json")},
        "teams": {
            "IDENTITY_KEYS_FILE": gateway_keys,
            "SIGNING_KEY_FILE": place.key("teams.private.json"),
            "EMPLOYEES_URL": place.url("employees"),
        },
        "gateway": {
            "SIGNING_KEY_FILE": place.key("gateway.private.json"),
            "SESSION_KEYS_FILE": place.key("session"),
            "EMPLOYEES_URL": place.url("employees"),
            "TEAMS_URL": place.url("teams"),
            "ADMIN_PASSWORD_FILE": str(place.password),
        },
    }
    return [_service(name, place, own) for name, own in settings.items()]


def _service(name: str, place: Place, own: dict[str, str]) -> Service:
    common = {"HOST": "127.0.0.1", "PORT": str(place.port(name)), "DATABASE_URL": f"sqlite:///{place.var}/{name}.db"}
    ours = {f"{name.upper()}_{field}": value for field, value in (common | own).items()}
    decided = {variable.removesuffix("_FILE") for variable in ours}
    if theirs := [variable for variable in sorted(os.environ) if variable.removesuffix("_FILE") in decided]:
        raise Fault(f"{', '.join(theirs)}: {DECIDED}")
    return Service(name, place.port(name), {**os.environ, **ours})


def make_admin(place: Place, gateway: Service) -> None:
    """The first account, on the first start only; the gateway prints its password this once, and keeps it in `var`."""
    if place.password.exists():
        return
    command = [sys.executable, "-m", "gateway", "create-admin"]
    done = subprocess.run(command, env=dict(gateway.environment), check=False, capture_output=True, text=True)
    if done.returncode:
        raise Fault(f"the first account could not be made: {(done.stderr.strip() or done.stdout.strip()).splitlines()[-1]}")
    print((done.stdout + done.stderr).strip(), flush=True)

"""Where a run on this machine keeps what, and the settings and keys that its services get."""

import os
import secrets
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from shared.identity import generate_key
from tools.processes import Fault, Service

PORTS = {"gateway": 0, "employees": 1, "teams": 2}


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

    def key(self, name: str) -> str:
        return str(self.var / "keys" / name)


def make_keys(place: Place) -> None:
    """Development keys, made where they are missing: the gateway's and teams' signing keys, and the key of the session cookie."""
    (place.var / "keys").mkdir(mode=0o700, exist_ok=True)
    for name in ("gateway", "teams"):
        private, public = Path(place.key(f"{name}.private.json")), Path(place.key(f"{name}.public.json"))
        if not (private.exists() and public.exists()):
            mine, everyones = generate_key(f"{name}-{secrets.token_hex(4)}")
            _write(private, mine)
            _write(public, everyones)
    session = Path(place.key("session"))
    if not session.exists():
        _write(session, secrets.token_urlsafe(64))


def _write(path: Path, text: str) -> None:
    """For the owner's eyes only from the first moment; never half a file."""
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text + "\n")
    part.replace(path)


def make_services(place: Place) -> list[Service]:
    """The three services; whatever else the environment sets for one of them, its log level say, stays in force."""
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

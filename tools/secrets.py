"""Writes what compose and Kubernetes mount as secrets: keys, passwords and database URLs with random values. What is there stays.

The folder is closed to other users of the machine, and its files can be read by whoever gets to see them: a container has a user of its
own, so a file that is mounted into it must not ask which one.

A key is rotated in three steps, so that nobody meets a key that is not known yet or not known any more; each call of `--rotate` takes the
next one, and says who must be started again before the one after.
"""

import argparse
import json
import secrets
import sys
from pathlib import Path
from typing import Final

from tools.settings import key_pair, write_file, write_missing

SERVICES: Final = ("employees", "teams", "gateway")
FOLDER, FILE = 0o700, 0o444
TRUSTING: Final = {"gateway": "employees and teams", "teams": "employees"}
"""Who knows the public half of whose signing key."""


def write_secrets(folder: Path, postgresql: str, redis: str) -> None:
    """All of them; `postgresql` and `redis` are the servers' HOST:PORT. Raises OSError."""
    folder.mkdir(mode=FOLDER, parents=True, exist_ok=True)
    folder.chmod(FOLDER)
    password = secrets.token_urlsafe(24)
    groups = [
        *(key_pair(name) for name in TRUSTING),
        *({f"{name}.database-url": f"postgresql://{name}:{secrets.token_urlsafe(24)}@{postgresql}/{name}"} for name in SERVICES),
        {"gateway.session-keys": secrets.token_urlsafe(64)},
        {"gateway.admin-password": secrets.token_urlsafe(18)},
        {"postgres.password": secrets.token_urlsafe(24)},
        {"gateway.redis-url": f"redis://:{password}@{redis}/0", "redis.conf": f"requirepass {password}"},
    ]
    for files in groups:
        write_missing(folder, files, FILE)


def rotate_signing_key(folder: Path, name: str) -> str:
    """The next step for the key of `gateway` or `teams`; what is to be done before the one after. Raises OSError."""
    private, public, upcoming = (folder / f"{name}.{kind}.json" for kind in ("private", "public", "upcoming"))
    known = json.loads(public.read_text("utf-8"))["keys"]
    if upcoming.exists():
        upcoming.replace(private)
        return f"{name} signs with the new key once it is started again; take the last step a minute later"
    if len(known) > 1:
        current = json.loads(private.read_text("utf-8"))["kid"]
        write_file(public, json.dumps({"keys": [key for key in known if key["kid"] == current]}), FILE)
        return f"the old key is forgotten once {TRUSTING[name]} are started again; that was the last step"
    mine, everyones = key_pair(name).values()
    write_file(public, json.dumps({"keys": known + json.loads(everyones)["keys"]}), FILE)
    write_file(upcoming, mine, FILE)
    return f"start {TRUSTING[name]} again: they then know the new key too; then take the next step"


def rotate_session_keys(folder: Path) -> str:
    """The next step for the key that signs the cookies of sessions; what is to be done before the one after. Raises OSError."""
    path, upcoming = folder / "gateway.session-keys", folder / "gateway.upcoming-session-key"
    keys = path.read_text("utf-8").split()
    if upcoming.exists():
        new = upcoming.read_text("utf-8").strip()
        write_file(path, "\n".join([new, *(key for key in keys if key != new)]), FILE)
        upcoming.unlink()
        return "the gateway signs with the new key once it is started again; take the last step when GATEWAY_SESSION_ABSOLUTE has passed"
    if len(keys) > 1:
        write_file(path, keys[0], FILE)
        return "the old key is forgotten once the gateway is started again; that was the last step"
    new = secrets.token_urlsafe(64)
    write_file(path, "\n".join([*keys, new]), FILE)
    write_file(upcoming, new, FILE)
    return "start the gateway again, every process: it then knows the new key too; then take the next step"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Write the secrets of a deployment, with random values, where they are missing.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--postgresql", default="postgres:5432", metavar="HOST:PORT", help="default: %(default)s, as in compose")
    parser.add_argument("--redis", default="redis:6379", metavar="HOST:PORT", help="default: %(default)s, as in compose")
    parser.add_argument("--rotate", choices=[*TRUSTING, "sessions"], help="take the next step in changing this key")
    options = parser.parse_args(arguments)
    try:
        if options.rotate is None:
            write_secrets(options.folder, options.postgresql, options.redis)
            print(f"{options.folder}: all secrets are there")
        elif options.rotate == "sessions":
            print(rotate_session_keys(options.folder))
        else:
            print(rotate_signing_key(options.folder, options.rotate))
    except OSError as fault:
        print(f"{fault.filename or options.folder}: {fault.strerror}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

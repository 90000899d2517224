"""Writes what compose and Kubernetes mount as secrets: keys, passwords and database URLs with random values. What is there stays.

The folder is closed to other users of the machine, and its files can be read by whoever gets to see them: a container has a user of its
own, so a file that is mounted into it must not ask which one.
"""

import argparse
import secrets
import sys
from pathlib import Path

from tools.settings import key_pair, write_missing

SERVICES = ("employees", "teams", "gateway")
FOLDER, FILE = 0o700, 0o444


def write_secrets(folder: Path, postgresql: str, redis: str) -> None:
    """All of them; `postgresql` and `redis` are the servers' HOST:PORT. Raises OSError."""
    folder.mkdir(mode=FOLDER, parents=True, exist_ok=True)
    folder.chmod(FOLDER)
    password = secrets.token_urlsafe(24)
    groups = [
        *(key_pair(name) for name in ("gateway", "teams")),
        *({f"{name}.database-url": f"postgresql://{name}:{secrets.token_urlsafe(24)}@{postgresql}/{name}"} for name in SERVICES),
        {"gateway.session-keys": secrets.token_urlsafe(64)},
        {"gateway.admin-password": secrets.token_urlsafe(18)},
        {"postgres.password": secrets.token_urlsafe(24)},
        {"gateway.redis-url": f"redis://:{password}@{redis}/0", "redis.conf": f"requirepass {password}"},
    ]
    for files in groups:
        write_missing(folder, files, FILE)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Write the secrets of a deployment, with random values, where they are missing.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--postgresql", default="postgres:5432", metavar="HOST:PORT", help="default: %(default)s, as in compose")
    parser.add_argument("--redis", default="redis:6379", metavar="HOST:PORT", help="default: %(default)s, as in compose")
    options = parser.parse_args(arguments)
    try:
        write_secrets(options.folder, options.postgresql, options.redis)
    except OSError as fault:
        print(f"{fault.filename or options.folder}: {fault.strerror}", file=sys.stderr)
        return 1
    print(f"{options.folder}: all secrets are there")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`python -m <service> serve|config|migrate|backup|restore|keys`."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from shared.config import ServiceSettings, SettingsError, explain
from shared.db import StoreError
from shared.identity import generate_key
from shared.lifecycle import make_database
from shared.server import StartFault, serve

PRIVATE: Final = 0o077
"""What a service writes (databases with people and hashes of passwords, backups, keys) is for its own user."""

CreateApp = Callable[[Any], Any]


def main(name: str, create_app: CreateApp, kind: type[ServiceSettings], argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code. A fault of the start is one line on standard error."""
    arguments = _parser(name).parse_args(argv)
    os.umask(PRIVATE)
    try:
        return _run(name, create_app, kind, arguments)
    except SettingsError as error:
        return _fail(name, "; ".join(error.faults))
    except (StartFault, StoreError, OSError) as error:
        return _fail(name, str(error))


def _run(name: str, create_app: CreateApp, kind: type[ServiceSettings], arguments: argparse.Namespace) -> int:
    if arguments.command == "keys":
        return _write_keys(name, arguments.directory)
    layered = explain(kind, name.upper())
    if arguments.command == "config":
        sys.stdout.write("\n".join(layered.lines()) + "\n")
        return 0
    if arguments.command == "serve":
        serve(create_app(layered.settings), layered.settings, fd=arguments.fd, ready_fd=arguments.ready_fd)
        return 0
    return _database(name, layered.settings, arguments)


def _database(name: str, settings: ServiceSettings, arguments: argparse.Namespace) -> int:
    from shared import backups, migrate  # Alembic takes 100 ms to import and only these commands need it

    url = make_database(settings).url
    if arguments.command == "migrate":
        migrate.upgrade(url, name)
    elif arguments.command == "backup":
        backups.backup(url, arguments.file)
    else:
        backups.restore(url, arguments.file, name)
    return 0


def _write_keys(name: str, directory: Path) -> int:
    """A private key (mode 600) and its public half; keys that are there stay."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    private, public = directory / f"{name}.private.json", directory / f"{name}.public.json"
    if private.exists():
        return 0
    texts = generate_key(f"{name}-1")
    private.touch(mode=0o600)
    private.write_text(texts[0] + "\n", "utf-8")
    public.write_text(texts[1] + "\n", "utf-8")
    return 0


def _parser(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m {name}")
    commands = parser.add_subparsers(dest="command", required=True)
    serving = commands.add_parser("serve", help="serve until stopped")
    serving.add_argument("--fd", type=int, help="an open listening socket to serve on")
    serving.add_argument("--ready-fd", type=int, help="a descriptor to write a line to when requests are taken")
    commands.add_parser("config", help="print the settings in force and where each comes from")
    commands.add_parser("migrate", help="bring the database to the newest shape")
    for command, text in (("backup", "write the database to a file"), ("restore", "put a backup in the database's place")):
        commands.add_parser(command, help=text).add_argument("file", type=Path)
    keys = commands.add_parser("keys", help="make a signing key for development")
    keys.add_argument("directory", type=Path)
    return parser


def _fail(name: str, message: str) -> int:
    sys.stderr.write(f"{name}: {' '.join(message.split())}\n")
    return 1

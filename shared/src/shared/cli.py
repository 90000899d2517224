"""`python -m <service> serve|config|migrate|backup|restore|head|verify|keys`."""

import argparse
import asyncio
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from shared.audit import Audit
from shared.config import ServiceSettings, SettingsError, explain
from shared.db import StoreError
from shared.identity import generate_key
from shared.lifecycle import make_database
from shared.server import StartFault, serve
from shared.verification import Head

PRIVATE: Final = 0o077
"""What a service writes (databases with people and hashes of passwords, backups, keys) is for its own user."""

EMPTY: Final = "-"
"""What stands for the hash of an empty log."""

HEAD: Final = re.compile(r"([a-z_]+)\s+([0-9]{1,18})\s+([0-9a-f]{64}|-)", re.ASCII)
CreateApp = Callable[[Any], Any]
AddCommands = Callable[[Any], None]
"""Adds commands to a parser's subparsers. What each has as its default `run` is called with the settings and the arguments."""


def main(
    name: str,
    create_app: CreateApp,
    kind: type[ServiceSettings],
    argv: Sequence[str] | None = None,
    *,
    audit: Audit | None = None,
    own: AddCommands | None = None,
) -> int:
    """Run one command; the exit code. A fault is one line on standard error. `audit` is the log, of a service that keeps one; `own` adds
    commands that only this service has.
    """
    parser, commands = _parser(name, audit)
    if own is not None:
        own(commands)
    arguments = parser.parse_args(argv)
    os.umask(PRIVATE)
    try:
        return _run(name, create_app, kind, audit, arguments)
    except SettingsError as error:
        return _fail(name, "; ".join(error.faults))
    except (StartFault, StoreError, OSError) as error:
        return _fail(name, str(error))


def _run(name: str, create_app: CreateApp, kind: type[ServiceSettings], audit: Audit | None, arguments: argparse.Namespace) -> int:
    if arguments.command == "keys":
        return _write_keys(name, arguments.directory)
    layered = explain(kind, name.upper())
    if arguments.command == "config":
        sys.stdout.write("\n".join(layered.lines()) + "\n")
        return 0
    if arguments.command == "serve":
        serve(create_app(layered.settings), layered.settings, fd=arguments.fd, ready_fd=arguments.ready_fd)
        return 0
    if "run" in arguments:
        arguments.run(layered.settings, arguments)
        return 0
    if audit is not None and arguments.command in ("head", "verify"):
        sys.stdout.write(asyncio.run(_audit(name, layered.settings, audit, arguments)) + "\n")
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


async def _audit(name: str, settings: ServiceSettings, audit: Audit, arguments: argparse.Namespace) -> str:
    """What is said of the log. Raises LogBroken, SettingsError for a file of heads that has none of this service."""
    noted = noted_heads(name, arguments.head) if arguments.command == "verify" and arguments.head else ()
    db = make_database(settings)
    await db.open()
    try:
        if arguments.command == "head":
            head = await audit.head(db)
            return f"{name} {head.seq} {head.hash or EMPTY}"
        head = await audit.verify(db, noted)
        return f"{name}: {head.seq} changes, all as they were written" + (", and with them the heads that were noted" if noted else "")
    finally:
        await db.close()


def noted_heads(name: str, file: Path) -> list[Head]:
    """A service's heads in a file of lines `service seq hash`, as `head` prints them. Raises SettingsError, OSError."""
    heads = []
    for number, line in enumerate(file.read_text("utf-8", "replace").splitlines(), 1):
        match = HEAD.fullmatch(line.strip())
        if match is None and line.strip():
            raise SettingsError([f"{file}, line {number}: is not service, seq and hash, as in: {name} 12 {'0' * 64}"])
        if match is not None and match[1] == name:
            heads.append(Head(int(match[2]), match[3].replace(EMPTY, "")))
    if not heads:
        raise SettingsError([f"{file}: has no head of {name}"])
    return heads


def _write_keys(name: str, directory: Path) -> int:
    """A private key (mode 600) and its public half; keys that are there stay."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    private, public = directory / f"{name}.private.json", directory / f"{name}.public.json"
    if private.exists():
        return 0
    texts = generate_key()
    private.touch(mode=0o600)
    private.write_text(texts[0] + "\n", "utf-8")
    public.write_text(texts[1] + "\n", "utf-8")
    return 0


def _parser(name: str, audit: Audit | None) -> tuple[argparse.ArgumentParser, Any]:
    """The parser, and where further commands are added."""
    parser = argparse.ArgumentParser(prog=f"python -m {name}")
    commands = parser.add_subparsers(dest="command", required=True)
    serving = commands.add_parser("serve", help="serve until stopped")
    serving.add_argument("--fd", type=int, help="an open listening socket to serve on")
    serving.add_argument("--ready-fd", type=int, help="a descriptor to write a line to when requests are taken")
    commands.add_parser("config", help="print the settings in force and where each comes from")
    commands.add_parser("migrate", help="bring the database to the newest shape")
    for command, text in (("backup", "write the database to a file"), ("restore", "put a backup in the database's place")):
        commands.add_parser(command, help=text).add_argument("file", type=Path)
    if audit is not None:
        commands.add_parser("head", help="print the place and the hash of the log's last row, to be kept elsewhere")
        verifying = commands.add_parser("verify", help="look whether the log, and the states that it tells of, are as they were written")
        verifying.add_argument("--head", type=Path, metavar="FILE", help="a file of what `head` has printed, which must hold too")
    keys = commands.add_parser("keys", help="make a signing key for development")
    keys.add_argument("directory", type=Path)
    return parser, commands


def _fail(name: str, message: str) -> int:
    sys.stderr.write(f"{name}: {' '.join(message.split())}\n")
    return 1

"""Loads employees.csv, teams.csv and memberships.csv of one folder through the gateway, as any client could.

Rows are created or updated by username, slug, and slug with username, so a second run changes nothing. Exits with 1 when a row was refused.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import click

from tools.address import address_of
from tools.client import Document, Gateway, Refused, Unauthorized
from tools.processes import Fault

KINDS = ("employees", "teams", "memberships")
"""In this order: a membership names people and teams."""

COUNTS = ("created", "updated", "unchanged", "refused")
BLOCK = 1 << 16


def blocks(file: IO[bytes], size: int, label: str, quiet: bool) -> Iterator[bytes]:
    """The file in pieces, with a progress bar that moves as the gateway takes them."""
    with click.progressbar(length=size, label=label, file=sys.stderr, hidden=quiet) as bar:
        while block := file.read(BLOCK):
            yield block
            bar.update(len(block))


def load(gateway: Gateway, path: Path, kind: str, query: str = "", quiet: bool = False) -> Document:
    """Uploads one file; returns the report, or raises Refused."""
    size = path.stat().st_size
    with path.open("rb") as file:
        answer = gateway.upload(f"/v1/{kind}/import{query}", blocks(file, size, f"{path.name:<16}", quiet), size)
    if answer.status == 422 and "refusals" in answer.document:  # ?atomic=true: the same report, and nothing stored
        return answer.document
    return answer.require()


def report_lines(name: str, report: Document) -> Iterator[str]:
    yield f"{name:<16} " + ", ".join(f"{report[count]:,} {count}" for count in COUNTS)
    for refusal in report["refusals"]:
        yield f"  line {refusal['line']}: {refusal['field'] or 'the row'}: {refusal['message']}"


def load_folder(gateway: Gateway, folder: Path, query: str = "", quiet: bool = False) -> tuple[int, int]:
    """Loads what there is of the three files and prints each report; returns how many rows changed something and how many were refused."""
    files = [(kind, folder / f"{kind}.csv") for kind in KINDS]
    if not any(path.is_file() for _, path in files):
        raise Refused(f"{folder}: no employees.csv, teams.csv or memberships.csv there")
    changed = refused = 0
    for kind, path in files:
        if not path.is_file():
            print(f"{path.name:<16} not there, left out")
            continue
        report = load(gateway, path, kind, query, quiet)
        print("\n".join(report_lines(path.name, report)), flush=True)
        changed += report["created"] + report["updated"]
        refused += report["refused"]
    return changed, refused


def read_password(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as fault:
        raise Refused(
            f"{path}: no password there ({fault.strerror}); `make run` or `make reset-admin` makes it, --password-file names another"
        ) from None


def log_in(gateway: Gateway, user: str, path: Path) -> None:
    """Logs in with the password that a file holds. Raises Refused, which says what to do when it is another one by now."""
    try:
        gateway.log_in(user, read_password(path))
    except Unauthorized as refusal:
        remedy = f"If {user} has another one by now, write it into {path}; for admin, `make reset-admin` makes another one"
        raise Refused(f"{refusal} {remedy}") from refusal


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Load a folder of CSV files into the directory, through the gateway.")
    parser.add_argument("folder", help="where employees.csv, teams.csv and memberships.csv are")
    parser.add_argument("--var", type=Path, default=Path("var"), help="where admin-password is (default: var)")
    parser.add_argument("--port-base", type=int, default=8000, help="the gateway's port on this machine (default: 8000)")
    parser.add_argument("--gateway", help="the gateway's address, when it is not on this machine")
    parser.add_argument("--user", default="admin")
    parser.add_argument("--password-file", type=Path, help="default: admin-password in --var")
    parser.add_argument("--atomic", action="store_true", help="all of a file or nothing")
    parser.add_argument("--dry-run", action="store_true", help="report only, change nothing")
    options = parser.parse_args(arguments)
    if not options.folder:
        parser.error("name the folder: make import DIR=…")
    return options


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    query = "&".join(f"{flag}=true" for flag in ("atomic", "dry_run") if getattr(options, flag))
    try:
        gateway = Gateway(options.gateway) if options.gateway else address_of(options.port_base).gateway()
        log_in(gateway, options.user, options.password_file or options.var / "admin-password")
        try:
            changed, refused = load_folder(gateway, Path(options.folder), f"?{query}" if query else "")
        finally:
            gateway.log_out()
    except (Refused, Fault) as refusal:
        print(refusal, file=sys.stderr)
        return 1
    if not changed:
        print("nothing changed: the directory held all of it already" if not refused else "nothing changed")
    elif options.dry_run:
        print("nothing changed: this was a dry run")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())

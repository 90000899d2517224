"""The first account: `admin`, with a random password that is kept in a file and told once."""

import asyncio
import os
import secrets
import sys
from pathlib import Path
from typing import Final

from gateway import store
from gateway.config import Settings
from gateway.passwords import Passwords
from shared.changes import Author
from shared.db import Database

USERNAME: Final = "admin"
MIN_KEPT: Final = 16
AUTHOR: Final = Author(actor="gateway", request_id="start")


class AdminFault(OSError):
    """The first account can't be made; the message is one line for people."""


async def ensure_admin(db: Database, passwords: Passwords, settings: Settings) -> bool:
    """Make the admin where there is no account at all, and say so on standard error; whether that was so.

    A password that is made here is told there, this once. A password file that is there already (a mounted secret) is taken at its word and
    is not told, so several processes may start together. Raises AdminFault.
    """
    if await store.count_accounts(db):
        return False
    path, fresh = Path(settings.admin_password_file), secrets.token_urlsafe(18)
    password = await asyncio.to_thread(keep_password, path, fresh)
    password_hash = await passwords.hash(password)
    made = await db.write(lambda conn: store.add_first_account(conn, USERNAME, password_hash, AUTHOR))
    if made:
        told = f"the password {password} (kept in {path})" if password == fresh else f"the password that {path} holds"
        sys.stderr.write(f"gateway: made the account {USERNAME} with {told}\n")
        sys.stderr.flush()
    return bool(made)


def keep_password(path: Path, password: str) -> str:
    """Write a password to a new file of mode 600, whole or not at all; what a file that is there already says, otherwise.

    Such a file may be in a folder that can't be written.
    """
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        if path.exists():
            return _kept(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(password + "\n")
            return password if _linked(fresh, path) else _kept(path)
        finally:
            fresh.unlink()
    except AdminFault:
        raise
    except OSError as error:
        raise AdminFault(f"{path} can't be written: {error.strerror}") from error


def _linked(fresh: Path, path: Path) -> bool:
    try:
        os.link(fresh, path)
    except FileExistsError:
        return False
    return True


def _kept(path: Path) -> str:
    try:
        password = path.read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise AdminFault(f"{path} can't be read") from error
    if len(password) < MIN_KEPT:
        raise AdminFault(f"{path} is there and holds no password; remove it")
    return password

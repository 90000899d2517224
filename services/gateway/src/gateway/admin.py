"""The account `admin`: made at the first start, found again when its password is lost. The password is kept in a file, and told once."""

import asyncio
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Final

from gateway.config import Settings
from gateway.errors import ServiceUnavailable
from gateway.passwords import Passwords
from gateway.revocations import Revocations
from gateway.store import accounts, links
from shared.changes import Author
from shared.db import Connection, Database

USERNAME: Final = "admin"
MIN_KEPT: Final = 16
AUTHOR: Final = Author(actor="gateway", request_id="start")
RESET: Final = Author(actor="gateway", request_id="reset-admin")


class AdminFault(OSError):
    """The account can't be made or found again; the message is one line for people."""


async def ensure_admin(db: Database, passwords: Passwords, settings: Settings) -> bool:
    """Make the admin where there is no account at all, and say so on standard error; whether that was so.

    A password that is made here is told there, this once. A password file that is there already (a mounted secret) is taken at its word and
    is not told, so several processes may start together. Raises AdminFault.
    """
    if await accounts.count_accounts(db):
        return False
    path, fresh = Path(settings.admin_password_file), _random()
    password = await asyncio.to_thread(keep_password, path, fresh)
    password_hash = await passwords.hash(password)
    made = await db.write(lambda conn: accounts.add_first_account(conn, USERNAME, password_hash, AUTHOR))
    if made:
        told = f"the password {password} (kept in {path})" if password == fresh else f"the password that {path} holds"
        _tell(f"made the account {USERNAME} with {told}")
    return bool(made)


async def reset_admin(db: Database, passwords: Passwords, settings: Settings, revocations: Revocations, username: str = USERNAME) -> None:
    """Give an account another random password, told on standard error, and the role admin; it is enabled, linked to nobody any more, and
    all its sessions end, at gateways that serve too. Raises AdminFault, also for an account that is not there.

    The file is for the account `admin` alone; it is replaced last, so that it never holds a password that is none.
    """
    before = await accounts.find_log_in(db, username) if username.isprintable() else None
    if before is None:
        raise AdminFault(f"there is no account {username!r}: nothing was changed")
    path, password = Path(settings.admin_password_file), _random()
    keeping, kept = (_replacing(path, password), f" (kept in {path})") if before.username == USERNAME else (nullcontext(), "")
    password_hash = await passwords.hash(password)

    def unit(conn: Connection) -> None:
        links.link(conn, accounts.recover_admin(conn, username, password_hash, RESET), None)

    try:
        with keeping:
            async with revocations.changing(before.id):
                await db.write(unit)
            _tell(f"the account {before.username} is an admin with the password {password}{kept}; its sessions have ended")
    except ServiceUnavailable as error:
        raise AdminFault(
            "Redis (GATEWAY_REDIS_URL) does not answer, so that the account's sessions can't be ended: nothing was changed"
        ) from error


def keep_password(path: Path, password: str) -> str:
    """Write a password to a new file of mode 600, whole or not at all; what a file that is there already says, otherwise.

    Such a file may be in a folder that can't be written. Raises AdminFault.
    """
    if path.exists():
        return _kept(path)
    fresh = _write_fresh(path, password)
    try:
        return password if _linked(fresh, path) else _kept(path)
    finally:
        fresh.unlink()


def _random() -> str:
    return secrets.token_urlsafe(18)


def _tell(words: str) -> None:
    sys.stderr.write(f"gateway: {words}\n")
    sys.stderr.flush()


def _write_fresh(path: Path, password: str) -> Path:
    """A new file beside `path`, of mode 600 from its first moment. Raises AdminFault."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(password + "\n")
    except OSError as error:
        raise AdminFault(f"{path} can't be written: {error.strerror}") from error
    return fresh


@contextmanager
def _replacing(path: Path, password: str) -> Iterator[None]:
    """The file holds another password when the block is through; it stays as it was when the block fails. Raises AdminFault."""
    fresh = _write_fresh(path, password)
    try:
        yield
        fresh.replace(path)
    except OSError as error:
        raise AdminFault(f"{path} can't be written: {error.strerror}") from error
    finally:
        fresh.unlink(missing_ok=True)


def _linked(fresh: Path, path: Path) -> bool:
    try:
        os.link(fresh, path)
    except FileExistsError:
        return False
    except OSError as error:
        raise AdminFault(f"{path} can't be written: {error.strerror}") from error
    return True


def _kept(path: Path) -> str:
    try:
        password = path.read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise AdminFault(f"{path} can't be read") from error
    if len(password) < MIN_KEPT:
        raise AdminFault(f"{path} is there and holds no password; remove it")
    return password

"""`python -m gateway serve|config|migrate|backup|restore|head|verify|keys|create-admin`."""

import asyncio
import os
import sys

from gateway.admin import ensure_admin
from gateway.app import create_app
from gateway.audit import AUDIT
from gateway.config import Settings, load_settings
from gateway.passwords import Passwords
from shared import migrate
from shared.cli import PRIVATE, main
from shared.config import SettingsError
from shared.db import StoreError
from shared.lifecycle import make_database


def create_admin() -> int:
    """Migrate the database and make the first account without serving; the exit code."""
    os.umask(PRIVATE)
    try:
        settings = load_settings()
        migrate.upgrade(settings.database_url, "gateway")
        asyncio.run(_create_admin(settings))
    except SettingsError as error:
        return _fail("; ".join(error.faults))
    except (StoreError, OSError) as error:
        return _fail(str(error))
    return 0


async def _create_admin(settings: Settings) -> None:
    db, passwords = make_database(settings), Passwords()
    await db.open()
    try:
        await ensure_admin(db, passwords, settings)
    finally:
        passwords.close()
        await db.close()


def _fail(message: str) -> int:
    sys.stderr.write(f"gateway: {message}\n")
    return 1


if __name__ == "__main__":
    sys.exit(create_admin() if sys.argv[1:] == ["create-admin"] else main("gateway", create_app, Settings, audit=AUDIT))

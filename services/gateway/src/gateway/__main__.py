"""`python -m gateway serve|config|migrate|backup|restore|head|verify|keys|create-admin|reset-admin [USERNAME]`."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from gateway.admin import USERNAME, ensure_admin, reset_admin
from gateway.app import create_app, make_redis, make_revocations
from gateway.audit import AUDIT
from gateway.config import Settings, load_settings
from gateway.passwords import Passwords
from shared import migrate
from shared.cli import PRIVATE, main
from shared.config import SettingsError
from shared.db import Database, StoreError
from shared.lifecycle import make_database
from shared.observe import logger

Work = Callable[[Database, Passwords, Settings], Awaitable[Any]]


def on_accounts(work: Work) -> int:
    """Migrate the database and work on its accounts, whether the gateway serves or not; the exit code."""
    os.umask(PRIVATE)
    try:
        settings = load_settings()
        migrate.upgrade(settings.database_url, "gateway")
        asyncio.run(_with_database(settings, work))
    except SettingsError as error:
        return _fail("; ".join(error.faults))
    except (StoreError, OSError) as error:
        return _fail(str(error))
    return 0


async def _with_database(settings: Settings, work: Work) -> None:
    db, passwords = make_database(settings), Passwords()
    await db.open()
    try:
        await work(db, passwords, settings)
    finally:
        passwords.close()
        await db.close()


async def _reset(db: Database, passwords: Passwords, settings: Settings, username: str = USERNAME) -> None:
    """`reset_admin`, of which gateways that serve learn as they do of each other."""
    redis = make_redis(settings)
    try:
        await reset_admin(db, passwords, settings, make_revocations(redis, logger("gateway", settings.log_level)), username)
    finally:
        if redis is not None:
            await redis.aclose()


def _fail(message: str) -> int:
    sys.stderr.write(f"gateway: {message}\n")
    return 1


def run(arguments: Sequence[str]) -> int:
    """Run one command; the exit code."""
    match arguments:
        case ["create-admin"]:
            return on_accounts(ensure_admin)
        case ["reset-admin"]:
            return on_accounts(_reset)
        case ["reset-admin", username] if not username.startswith("-"):
            return on_accounts(partial(_reset, username=username))
    return main("gateway", create_app, Settings, audit=AUDIT)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))

"""`python -m gateway serve|config|migrate|backup|restore|head|verify|keys|create-admin|reset-admin [USERNAME]`."""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from gateway.admin import USERNAME, ensure_admin, reset_admin
from gateway.app import create_app, make_redis, make_revocations
from gateway.audit import AUDIT
from gateway.config import Settings, check
from gateway.passwords import Passwords
from shared.cli import main
from shared.db import Database
from shared.lifecycle import make_database
from shared.observe import logger

Work = Callable[[Database, Passwords, Settings], Awaitable[Any]]


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    return main("gateway", create_app, Settings, arguments, audit=AUDIT, own=_add_commands)


def _add_commands(commands: Any) -> None:
    creating = commands.add_parser("create-admin", help=f"make the account {USERNAME} where there is none at all")
    creating.set_defaults(run=_create)
    resetting = commands.add_parser("reset-admin", help="make an account an admin with another password, which is told")
    resetting.add_argument("username", nargs="?", default=USERNAME, help=f"the account (default: {USERNAME})")
    resetting.set_defaults(run=_reset)


def _create(settings: Settings, _: argparse.Namespace) -> None:
    _on_accounts(settings, ensure_admin)


def _reset(settings: Settings, arguments: argparse.Namespace) -> None:
    _on_accounts(settings, partial(_reset_everywhere, username=arguments.username))


def _on_accounts(settings: Settings, work: Work) -> None:
    """Migrate the database and work on its accounts, whether the gateway serves or not."""
    from shared import migrate  # Alembic takes 100 ms to import and only these commands need it

    check(settings)
    migrate.upgrade(settings.database_url, "gateway")
    asyncio.run(_with_database(settings, work))


async def _with_database(settings: Settings, work: Work) -> None:
    db, passwords = make_database(settings), Passwords()
    await db.open()
    try:
        await work(db, passwords, settings)
    finally:
        passwords.close()
        await db.close()


async def _reset_everywhere(db: Database, passwords: Passwords, settings: Settings, username: str) -> None:
    """`reset_admin`, of which gateways that serve learn as they do of each other."""
    redis = make_redis(settings)
    try:
        await reset_admin(db, passwords, settings, make_revocations(redis, logger("gateway", settings.log_level)), username)
    finally:
        if redis is not None:
            await redis.aclose()


if __name__ == "__main__":
    sys.exit(run())

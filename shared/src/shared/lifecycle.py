"""A service's database and its app begin and end together."""

import asyncio

from quart import Quart

from shared.changes import LogTables
from shared.config import ServiceSettings, SettingsError
from shared.db import Database, StoreError
from shared.timeline import Timeline


def make_database(settings: ServiceSettings) -> Database:
    """The database that the settings name, not opened yet. Raises SettingsError for a URL that is none."""
    try:
        return Database(settings.database_url, readers=settings.readers)
    except ValueError as error:
        raise SettingsError([f"database_url: {error}"]) from error


def keep_database(app: Quart, db: Database, package: str, *, migrate: bool, history: LogTables | None = None) -> None:
    """Open the database before the app serves, migrated by `package`'s migrations if told so, and close it when it has ended.

    Views find it by `shared.context.database`, and how it was by its log, when that is given as `history`. A database that can't be
    opened ends the start, and `app.extensions["start_fault"]` says why in one line.
    """
    app.extensions["db"] = db
    if history is not None:
        app.extensions["timeline"] = Timeline(db, history)

    async def open_database() -> None:
        try:
            if migrate:
                await asyncio.to_thread(_upgrade, db.url, package)
            await db.open()
        except (StoreError, OSError) as error:
            app.extensions["start_fault"] = f"the database can't be opened: {error}"
            raise

    app.before_serving(open_database)
    app.after_serving(db.close)


def _upgrade(url: str, package: str) -> None:
    from shared.migrate import upgrade  # here, since Alembic takes 100 ms to import

    upgrade(url, package)

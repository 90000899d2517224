"""The app of employees: settings in, a service out. Nothing happens on import."""

from blinker import Namespace

from employees.config import Settings, load_settings
from employees.contract import CONTRACT
from employees.routes import BLUEPRINTS
from shared.db import Change
from shared.identity import Trust
from shared.lifecycle import keep_database, make_database
from shared.service import Service, create_service
from shared.shedding import Limiter

signals = Namespace()
employee_changed = signals.signal(
    "employee-changed", doc="Sent after the commit with `change`, a shared.db.Change, for each change by this process."
)


def create_app(settings: Settings | None = None) -> Service:
    """The service, by the environment's settings when none are given. Raises SettingsError."""
    settings = settings or load_settings()
    db = make_database(settings)
    app = create_service(
        "employees",
        settings,
        BLUEPRINTS,
        description="People, their status and their reporting lines.",
        trusts=[Trust(settings.feed_issuer, settings.feed_keys, limit="feed")] if settings.feed_keys else (),
        checks={"database": db.ping},
        contract=CONTRACT,
        limiter=Limiter(least=settings.concurrency_least, most=settings.concurrency_most),
    )
    keep_database(app, db, "employees", migrate=settings.migrate)

    def tell(changes: list[Change]) -> None:
        if employee_changed.receivers:
            for change in changes:
                employee_changed.send(app, change=change)

    db.on_commit(tell)
    return app

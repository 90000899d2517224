"""The app of teams: settings in, a service out. Nothing happens on import."""

from typing import Any

from blinker import Namespace

from shared.db import Change, Database
from shared.following import Follower
from shared.lifecycle import keep_database, make_database
from shared.observe import logger
from shared.service import Service, create_service
from shared.shedding import Limiter
from teams.clients import EmployeeState, feed_of_employees
from teams.config import Settings, check, load_settings
from teams.contract import CONTRACT
from teams.follower import follower_of
from teams.routes import BLUEPRINTS

signals = Namespace()
team_changed = signals.signal(
    "team-changed", doc="Sent after the commit with `change`, a shared.db.Change, for each change by this process."
)


def create_app(settings: Settings | None = None) -> Service:
    """The service, by the environment's settings when none are given. Raises SettingsError."""
    settings = settings or load_settings()
    check(settings)
    db = make_database(settings)
    log = logger("teams", settings.log_level)
    follower = make_follower(settings, db, log)
    app = create_service(
        "teams",
        settings,
        BLUEPRINTS,
        description="Teams, their tree, memberships and roles.",
        checks={"database": db.ping},
        contract=CONTRACT,
        limiter=Limiter(least=settings.concurrency_least, most=settings.concurrency_most),
        details={"employees": follower.report} if follower else {},
        log=log,
    )
    if follower:
        app.extensions["follower"] = follower
        app.extensions["metrics"].registry.register(follower)
        app.after_serving(follower.stop)  # before the database closes
    keep_database(app, db, "teams", migrate=settings.migrate)
    if follower:
        app.before_serving(follower.start)  # after it has opened

    def tell(changes: list[Change]) -> None:
        if team_changed.receivers:
            for change in changes:
                team_changed.send(app, change=change)

    db.on_commit(tell)
    return app


def make_follower(settings: Settings, db: Database, log: Any) -> Follower[EmployeeState] | None:
    """What follows employees, or None when teams runs alone."""
    if not settings.employees_url:
        return None
    feed = feed_of_employees(settings.employees_url, settings.signing_key)
    return follower_of(feed, db, log, wait=settings.feed_wait, longest_pause=settings.feed_retry)

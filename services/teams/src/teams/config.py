"""The settings of teams."""

from typing import Annotated, Final

from msgspec import Meta

from shared.config import Port, ServiceSettings, SettingsError, load
from shared.identity import KeyFault, read_private_key
from shared.pool import Origin

PREFIX: Final = "TEAMS"

Seconds = Annotated[float, Meta(gt=0, le=3600)]


class Settings(ServiceSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What teams may be told; times in seconds unless their name says otherwise."""

    port: Port = 8002
    database_url: str = "sqlite:///var/teams.db"
    employees_url: str = ""
    """Where employees answers: http://host:port or unix:///path. Empty: teams runs alone and takes every id for an active employee."""
    signing_key: str = ""
    """The private key (a JWK) that signs the requests for the feed of employees."""
    feed_wait: Annotated[int, Meta(ge=0, le=60)] = 20
    """How long a request for the feed waits for news."""
    feed_retry: Seconds = 2.0
    """The longest pause after a request for the feed that failed."""


def load_settings() -> Settings:
    """What the environment says. Raises SettingsError naming every fault."""
    settings = load(Settings, PREFIX)
    check(settings)
    return settings


def check(settings: Settings) -> None:
    """Refuse (SettingsError) what types alone can't."""
    faults = []
    if settings.employees_url:
        try:
            Origin.parse(settings.employees_url)
        except ValueError as error:
            faults.append(f"employees_url: {error}")
    if settings.signing_key:
        try:
            read_private_key(settings.signing_key)
        except KeyFault as error:
            faults.append(f"signing_key: {error}")
    if faults:
        raise SettingsError(faults)

"""The settings of employees: those of every service, and its own."""

from shared.config import Port, ServiceSettings, load


class Settings(ServiceSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`feed_keys` are public keys (JWKS text) whose owners may read the change feed and nothing else: teams' key."""

    port: Port = 8001
    database_url: str = "sqlite:///var/employees.db"
    feed_keys: str = ""
    feed_issuer: str = "teams"


def load_settings() -> Settings:
    """What is in force by the environment. Raises SettingsError listing every fault."""
    return load(Settings, "EMPLOYEES")

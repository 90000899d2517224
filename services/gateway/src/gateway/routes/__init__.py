"""The gateway's own endpoints."""

from gateway.routes import accounts, audit, directory, memberships, session, sessions, tokens

BLUEPRINTS = (
    session.blueprint,
    sessions.blueprint,
    tokens.blueprint,
    accounts.blueprint,
    directory.blueprint,
    memberships.blueprint,
    audit.blueprint,
)

__all__ = ["BLUEPRINTS"]

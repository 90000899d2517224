"""The gateway's own endpoints."""

from gateway.routes import accounts, audit, changes, directory, login, memberships, session, sessions, tokens, webhooks

BLUEPRINTS = (
    session.blueprint,
    login.blueprint,
    sessions.blueprint,
    tokens.blueprint,
    accounts.blueprint,
    changes.blueprint,
    directory.blueprint,
    memberships.blueprint,
    webhooks.blueprint,
    audit.blueprint,
)

__all__ = ["BLUEPRINTS"]

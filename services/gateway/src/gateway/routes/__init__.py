"""The gateway's own endpoints."""

from gateway.routes import accounts, changes, directory, memberships, session, webhooks

BLUEPRINTS = (session.blueprint, accounts.blueprint, changes.blueprint, directory.blueprint, memberships.blueprint, webhooks.blueprint)

__all__ = ["BLUEPRINTS"]

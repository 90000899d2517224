"""The gateway's own endpoints."""

from gateway.routes import accounts, directory, memberships, session

BLUEPRINTS = (session.blueprint, accounts.blueprint, directory.blueprint, memberships.blueprint)

__all__ = ["BLUEPRINTS"]

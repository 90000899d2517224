"""The gateway's own endpoints."""

from gateway.routes import accounts, audit, directory, memberships, session

BLUEPRINTS = (session.blueprint, accounts.blueprint, directory.blueprint, memberships.blueprint, audit.blueprint)

__all__ = ["BLUEPRINTS"]

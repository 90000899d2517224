"""The gateway: the one public door. `QUART_APP=gateway quart run` finds `create_app` here."""

from gateway.app import create_app

__all__ = ["create_app"]

"""Teams: the tree of teams, and who is in them."""

from teams.app import create_app

__all__ = ["create_app"]

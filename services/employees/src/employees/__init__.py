"""Employees: people, their status and their reporting lines. `QUART_APP=employees quart run` finds `create_app` here."""

from employees.app import create_app

__all__ = ["create_app"]

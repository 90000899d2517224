"""Webhooks: changes delivered to addresses that admins name."""

from gateway.webhooks.dispatch import Deliveries, Dispatcher

__all__ = ["Deliveries", "Dispatcher"]

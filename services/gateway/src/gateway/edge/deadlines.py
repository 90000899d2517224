"""How long a request may take, and what of it the services get."""

from typing import Final

from shared.exchange import Exchange

LEAST: Final = 0.05
MOST: Final = 10.0
"""Seconds that a caller may ask for with X-Request-Timeout-Ms; less or more is taken for these."""

KEPT_BACK: Final = 0.15
KEPT_BACK_LEAST: Final = 0.02
KEPT_BACK_MOST: Final = KEPT_BACK * MOST


def set_deadline(exchange: Exchange, budget: float | None, default: float) -> None:
    """When the gateway gives up: by the route's own budget, or by what the caller asked for, or after `default` seconds."""
    if budget is None:
        total = default if exchange.asked is None else min(max(exchange.asked, LEAST), MOST)
    else:
        total = budget if exchange.asked is None else min(budget, exchange.asked)
    exchange.deadline = None if total == float("inf") else exchange.started + total


def for_services(exchange: Exchange) -> float | None:
    """When a service has to have answered (seconds of the event loop): the gateway keeps 15 %, at least 20 ms, to merge and answer."""
    if exchange.deadline is None:
        return None
    kept = KEPT_BACK * (exchange.deadline - exchange.started)
    if kept < KEPT_BACK_LEAST:
        kept = KEPT_BACK_LEAST
    elif kept > KEPT_BACK_MOST:
        kept = KEPT_BACK_MOST
    return exchange.deadline - kept

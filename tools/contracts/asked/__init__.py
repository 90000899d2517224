"""What each consumer asks and uses, pair by pair. The tests of contracts drive the consumers' own code through every one of these."""

from typing import Final

from tools.contracts.asked import employees_by_gateway, employees_by_teams, teams_by_gateway
from tools.contracts.pacts import Exchange, Message

PAIRS: Final[dict[tuple[str, str], tuple[Exchange | Message, ...]]] = {
    ("gateway", "employees"): employees_by_gateway.ALL,
    ("gateway", "teams"): teams_by_gateway.ALL,
    ("teams", "employees"): employees_by_teams.ALL,
}
"""(consumer, provider) and all that passes between them."""

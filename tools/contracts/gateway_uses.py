"""Uses that the gateway makes of the services, each with all that it asks of them: what drives its pacts."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway import memberships, views
from gateway.clients import Ask, Upstream
from shared.identity import Caller
from tools.contracts.pacts import Exchange

CALLER: Final = Caller("account:1", "ada", "editor", "gateway")
ASK: Final = Ask(CALLER, "request-1", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", None)
ROLE: Final = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Services:
    """Both services, as the gateway has them."""

    employees: Upstream
    teams: Upstream

    async def expand(self, id_: int, *parts: str) -> dict[str, Any]:
        return (await views.expand_employee(self.employees, self.teams, ASK, id_, parts, strict=True)).document

    async def expand_team(self, id_: int, *parts: str) -> dict[str, Any]:
        return (await views.expand_team(self.employees, self.teams, ASK, id_, parts, strict=True)).document

    async def search(self, word: str) -> dict[str, Any]:
        return (await views.search(self.employees, self.teams, ASK, word, 10, strict=False)).document

    async def put(self, team_id: int, body: bytes = b'{"role": "lead"}', if_match: str | None = None) -> Any:
        return await memberships.put_member(
            self.employees, self.teams, ASK, team_id, 2, body, ROLE | ({"If-Match": if_match} if if_match else {})
        )


Use = Callable[[Services], Awaitable[None]]


@dataclass(frozen=True)
class Case:
    """A use of the services, and all that it asks of them."""

    use: Use
    employees: Sequence[Exchange]
    teams: Sequence[Exchange]


CASES: list[Case] = []


def case(*, employees: Sequence[Exchange] = (), teams: Sequence[Exchange] = ()) -> Callable[[Use], Use]:
    """Declare what a use asks."""

    def declare(use: Use) -> Use:
        CASES.append(Case(use, employees, teams))
        return use

    return declare

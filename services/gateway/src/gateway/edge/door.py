"""Who is turned away before a session is looked up: those who come for a service that is asked for more reads than it can answer."""

from collections.abc import Mapping
from typing import Any, Final

from gateway.clients.faults import too_many
from gateway.edge.edge import ENCRYPTED, SECURITY, GatewayEdge
from gateway.resilience import Calls
from shared.door import Door, Refusal

READS: Final = frozenset({"GET", "HEAD"})
ORIGIN: Final = b"origin"


class GatewayDoor(Door):
    """`calls` by service; the `edge` knows the routes. A script of another site is refused later, so that it can read why."""

    def __init__(self, calls: Mapping[str, Calls], edge: GatewayEdge, *args: Any) -> None:
        super().__init__(*args, fields=SECURITY, encrypted=ENCRYPTED)
        self._edge = edge
        self._limits = {name: found.requests.limit for name, found in calls.items()}
        self._too_many = {name: Refusal(too_many(name), SECURITY, ENCRYPTED) for name in calls}

    def refusal(self, scope: Any) -> bytes | None:
        found = super().refusal(scope)
        if found is not None:
            return found
        for name, limit in self._limits.items():
            if limit.full and (operation := self._asked(name, scope)) is not None and not self._stopping():
                limit.turned_away()
                return self.turn_away(scope, self._too_many[name], operation)
        return None

    def _asked(self, service: str, scope: Any) -> str | None:
        """The name of the operation, if it is one of a service's reads, forwarded as it comes."""
        methods = self._edge.table.methods(scope["raw_path"]) or {}
        route = methods.get(scope["method"])
        if route is None or scope["method"] not in READS or any(name == ORIGIN for name, _ in scope["headers"]):
            return None
        route = route.chosen(scope["query_string"])
        return route.name if (route.upstream, route.lane) == (service, "requests") else None

"""The one table of everything the public may ask: the services' forwarded operations and the gateway's own, each with its policy.

Paths hold literal segments and integers only, so a lookup is one or two dictionary reads, and what it lets through needs no
escaping: an address in the table is the same text at every hop.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from werkzeug.routing import Rule as WerkzeugRule

from gateway.clients.rules import public_rules
from gateway.resilience import LaneName
from shared.operations import ROLES, Limit, Operation, Policy

MAX_ID: Final = b"9223372036854775807"
_NUMBER: Final = b"\0"  # the mark of an integer segment; no checked path can hold this byte


@dataclass(frozen=True, slots=True)
class Route:
    """One operation at the door. `upstream` is who answers; None is the gateway itself."""

    name: str
    method: str
    path: str
    allow: Policy
    budget: float | None = None
    """Seconds; None means the deadline of ordinary requests, infinity none at all."""
    upstream: str | None = None
    detour: "tuple[bytes, Route] | None" = None
    """A query parameter, and the route that answers instead of this one when the query has it."""
    lane: LaneName = "requests"
    limit: Limit = Limit.CALLER
    public: bool = field(init=False)
    roles: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "public", self.allow.role is None)
        object.__setattr__(self, "roles", frozenset(role for role in ROLES if self.allow.allows(role)))

    def chosen(self, query: bytes) -> "Route":
        """This route, or its detour."""
        if self.detour is None or self.detour[0] not in query:
            return self
        name, other = self.detour
        return other if any(part.partition(b"=")[0] == name for part in query.split(b"&")) else self


Methods = Mapping[str, Route]


class Table:
    """Routes by the shape of their path."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self._shapes: dict[bytes, dict[str, Route]] = {}
        for route in self.routes:
            methods = self._shapes.setdefault(_shape_of_rule(route.path), {})
            if methods.setdefault(route.method, route) is not route:
                raise ValueError(f"{route.method} {route.path}: answered twice")
        for methods in self._shapes.values():
            if (get := methods.get("GET")) is not None:
                methods.setdefault("HEAD", get)

    def methods(self, path: bytes) -> Methods | None:
        """What can be asked of a path (undecoded); None for a path that nobody serves."""
        found = self._shapes.get(path)
        if found is not None:
            return found
        start, _, last = path.rpartition(b"/")
        if len(last) < len(MAX_ID) and last.isdigit() and (found := self._shapes.get(b"%b/%b" % (start, _NUMBER))) is not None:
            return found
        parts = path.split(b"/")
        for place, part in enumerate(parts):
            if part.isdigit():
                if len(part) > len(MAX_ID) or (len(part) == len(MAX_ID) and part > MAX_ID):
                    return None
                parts[place] = _NUMBER
        return self._shapes.get(b"/".join(parts))


def allow_header(methods: Methods) -> str:
    """The value of `Allow`."""
    return ", ".join(sorted({*methods, "OPTIONS"}))


def routes_of(own: Iterable[Route]) -> list[Route]:
    """All public routes: `own`, and what is forwarded by the clients' rules; ValueError when two of them claim one request."""
    ours = {(route.method, route.path): route for route in own}
    routes: list[Route] = []
    for upstream, rule in public_rules():
        mine = ours.pop((rule.method, rule.path), None)
        if (mine is None) != (rule.detour is None):
            raise ValueError(f"{rule.method} {rule.path}: answered twice, or its detour is missing")
        detour = (rule.detour.encode(), mine) if rule.detour is not None and mine is not None else None
        routes.append(Route(rule.name, rule.method, rule.path, rule.allow, rule.budget, upstream, detour, rule.lane, rule.limit))
    return [*ours.values(), *routes]


def own_routes(rules: Iterable[WerkzeugRule], operations: Mapping[str, Operation]) -> list[Route]:
    """The gateway's own operations as routes."""
    return [
        Route(found.name, method, rule.rule, found.allow, found.budget, limit=found.limit)
        for rule in rules
        if (found := operations.get(rule.endpoint)) is not None
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


def _shape_of_rule(path: str) -> bytes:
    parts = [_NUMBER if part.startswith("<int:") else part.encode() for part in path.split("/")]
    if any(b"<" in part for part in parts):
        raise ValueError(f"only <int:...> can stand in a public path: {path}")
    return b"/".join(parts)

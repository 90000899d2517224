"""The gateway's edge: what every request meets first, whichever way it goes on."""

from gateway.edge.deadlines import MOST
from gateway.edge.door import GatewayDoor
from gateway.edge.edge import GatewayEdge, Policies
from gateway.edge.table import Route, Table, own_routes, routes_of

__all__ = ["MOST", "GatewayDoor", "GatewayEdge", "Policies", "Route", "Table", "own_routes", "routes_of"]

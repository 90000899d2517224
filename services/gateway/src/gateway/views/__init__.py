"""Joins over the services."""

from gateway.views.chart import org_chart
from gateway.views.expansions import expand_employee, expand_team
from gateway.views.parts import Joined
from gateway.views.search import search

__all__ = ["Joined", "expand_employee", "expand_team", "org_chart", "search"]

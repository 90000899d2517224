"""Joins over the services."""

from collections.abc import Mapping
from typing import Final

from gateway.views.chart import CHART, org_chart
from gateway.views.expansions import EMPLOYEE, TEAM, expand_employee, expand_team
from gateway.views.parts import Joined, Plan
from gateway.views.search import SEARCH, search

PLANS: Final[Mapping[str, Plan]] = {"expand_employee": EMPLOYEE, "expand_team": TEAM, "search": SEARCH, "org_chart": CHART}
"""By operation: which parts its answer has, and which of them may be missing."""

__all__ = ["PLANS", "Joined", "Plan", "expand_employee", "expand_team", "org_chart", "search"]

"""The services, as the gateway sees them: which operations it uses, how it asks, and what it takes for an answer."""

from gateway.clients.answers import Employee, ExportedMembership, Membership, Page, Person, Placed, Staff, StaffState, Team
from gateway.clients.feeds import feed_of_employees
from gateway.clients.rules import EMPLOYEES, TEAMS, UPSTREAMS, Rule, public_rules
from gateway.clients.upstream import Ask, Instant, Reply, Upstream

__all__ = [
    "EMPLOYEES",
    "TEAMS",
    "UPSTREAMS",
    "Ask",
    "Employee",
    "ExportedMembership",
    "Instant",
    "Membership",
    "Page",
    "Person",
    "Placed",
    "Reply",
    "Rule",
    "Staff",
    "StaffState",
    "Team",
    "Upstream",
    "feed_of_employees",
    "public_rules",
]

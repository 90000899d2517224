"""Who uses what of a service: by the pacts, by the types that the gateway reads answers as, and by what it passes on to its own clients."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from gateway.clients import UPSTREAMS, Employee, Membership, Page, Person, Staff, StaffState, Team
from gateway.clients.answers import Head, Placed
from shared.feedclient import Event
from teams.clients import EmployeeState
from tools.contracts.asked import PAIRS
from tools.contracts.differences import Difference, Document, operations
from tools.contracts.pacts import path_of

OUTSIDE: Final = "clients of the gateway"
TYPES: Final[dict[tuple[str, str, str], tuple[Any, ...]]] = {
    ("gateway", "employees", "get_employee"): (Employee, Staff),
    ("gateway", "employees", "list_employees"): (Page[Employee], Page[Person]),
    ("gateway", "employees", "list_reports"): (Page[Placed], Page[Employee]),
    ("gateway", "employees", "list_changes"): (list[Head], list[Event[StaffState]]),
    ("teams", "employees", "list_changes"): (list[Event[EmployeeState]],),
    ("gateway", "teams", "list_changes"): (list[Head],),
    ("gateway", "teams", "get_team"): (Team,),
    ("gateway", "teams", "list_teams"): (Page[Team],),
    ("gateway", "teams", "list_subteams"): (Page[Team],),
    ("gateway", "teams", "list_members"): (Page[Membership],),
    ("gateway", "teams", "list_memberships"): (Page[Membership],),
}
"""What consumers read answers as: (consumer, provider, operation) → types."""


@dataclass(frozen=True)
class Use:
    """One thing that a consumer uses of an operation, and where that is said."""

    consumer: str
    operation: str
    part: str
    name: str
    status: str
    said: str


def uses_of(service: str, document: Document) -> list[Use]:
    """All that consumers use of a service whose older document this is."""
    return [*_by_types(service), *_by_pacts(service, document)]


def broken(service: str, difference: Difference, uses: list[Use]) -> list[str]:
    """The consumers that a difference breaks, each with what it uses. Nobody is broken by a harmless one."""
    if not difference.breaking:
        return []
    found: dict[str, list[str]] = {}
    for use in uses:
        if use.operation == difference.operation and _concerns(difference, use):
            said = found.setdefault(use.consumer, [])
            if use.said not in said:
                said.append(use.said)
    lines = [f"{consumer} ({'; '.join(said[:3])}{' and more' if len(said) > 3 else ''})" for consumer, said in sorted(found.items())]
    if service == "gateway" or any(rule.public and rule.name == difference.operation for rule in UPSTREAMS.get(service, ())):
        lines.append(OUTSIDE)
    return lines


def _concerns(difference: Difference, use: Use) -> bool:
    """A use of the operation is hit by what is said of the operation itself, and otherwise by what is said of the same thing."""
    if difference.part == "operation" or (difference.part == "request" and not difference.name):
        return True
    if difference.part == "status":
        return use.status == difference.status
    if difference.part != use.part:
        return difference.part == "parameter" and "must be sent" in difference.words
    if difference.part == "field" and difference.status != use.status:
        return False
    if difference.part == "request" and "must be sent" in difference.words:
        return True
    return use.name.lower() == difference.name.lower() or use.name.startswith((f"{difference.name}.", f"{difference.name}["))


def _by_pacts(service: str, document: Document) -> Iterator[Use]:
    known = [(method, re.compile(path.replace("{}", "[0-9]+")), one["operationId"]) for (method, path), one in operations(document).items()]
    for consumer, provider in PAIRS:
        path = path_of(consumer, provider)
        if provider != service or not path.exists():
            continue
        for interaction in json.loads(path.read_text("utf-8"))["interactions"]:
            said = f"pact: {interaction['description']}"
            if interaction["type"] != "Synchronous/HTTP":
                for name in _paths(interaction["contents"]["content"], "[]"):
                    yield Use(consumer, "list_changes", "field", name, "200", said)
                continue
            method, target = interaction["request"]["method"].lower(), interaction["request"]["path"]
            for operation in (name for verb, pattern, name in known if verb == method and pattern.fullmatch(target)):
                yield from _of_interaction(consumer, operation, interaction, said)
                break


def _of_interaction(consumer: str, operation: str, interaction: Mapping[str, Any], said: str) -> Iterator[Use]:
    request, response = interaction["request"], interaction["response"]
    status = str(response["status"])
    for name in (*request.get("query", {}), *request.get("headers", {})):
        yield Use(consumer, operation, "parameter", name, status, said)
    for name in _paths(request.get("body", {}).get("content")):
        yield Use(consumer, operation, "request", name, status, said)
    for name in response.get("headers", {}):
        yield Use(consumer, operation, "header", name, status, said)
    for name in _paths(response.get("body", {}).get("content")):
        yield Use(consumer, operation, "field", name, status, said)


def _paths(value: Any, path: str = "") -> Iterator[str]:
    if path:
        yield path
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _paths(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for inner in value[:4]:
            yield from _paths(inner, f"{path}[]")


def _by_types(service: str) -> Iterator[Use]:
    for (consumer, provider, operation), kinds in TYPES.items():
        for kind in kinds if provider == service else ():
            (schema,), parts = msgspec.json.schema_components([kind])
            for name, owner in _fields(schema, parts, ""):
                yield Use(consumer, operation, "field", name, "200", f"{owner}.{name.rpartition('.')[2]}")


def _fields(schema: Mapping[str, Any], parts: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    """The fields below a schema, each with the type that has it."""
    for one in schema.get("anyOf", [schema]):
        found = parts[one["$ref"].rpartition("/")[2]] if "$ref" in one else one
        for name, inner in found.get("properties", {}).items():
            below = f"{path}.{name}" if path else name
            yield below, str(found.get("title", ""))
            yield from _fields(inner, parts, below)
        if "items" in found:
            yield from _fields(found["items"], parts, f"{path}[]")

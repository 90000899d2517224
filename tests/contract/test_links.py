"""The links between services: whatever the gateway calls by name, its owner has, in that form and under that policy."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from quart import Quart
from werkzeug.routing import Rule as WerkzeugRule

import employees
import teams
from employees.config import Settings as EmployeesSettings
from gateway.clients import UPSTREAMS, Employee, Membership, Page, Person, Rule, Team
from gateway.views.chart import Placed
from shared.openapi import make_document
from shared.operations import operation_of
from teams.config import Settings as TeamsSettings

OWNERS: dict[str, Quart] = {
    "employees": employees.create_app(EmployeesSettings(open=True, database_url="sqlite:///unused.db")),
    "teams": teams.create_app(TeamsSettings(open=True, database_url="sqlite:///unused.db", employees_url="")),
}
KEPT = {"home", "openapi", "read_docs", "livez", "readyz", "scrape", "list_changes"}
"""What every service has for its operators and for other services, and the public does not reach."""

LINKS = [(service, rule) for service, rules in UPSTREAMS.items() for rule in rules]
READ: dict[tuple[str, str], Any] = {
    ("employees", "get_employee"): Employee,
    ("employees", "list_employees"): Page[Person],
    ("employees", "list_reports"): Page[Placed],
    ("teams", "get_team"): Team,
    ("teams", "list_teams"): Page[Team],
    ("teams", "list_subteams"): Page[Team],
    ("teams", "list_members"): Page[Membership],
    ("teams", "list_memberships"): Page[Membership],
}
ASKED = {
    ("employees", "list_employees"): {"id", "username", "fields", "limit", "q"},
    ("employees", "list_reports"): {"depth", "limit", "cursor"},
    ("teams", "list_teams"): {"id", "limit", "q"},
    ("teams", "list_members"): {"limit"},
    ("teams", "list_subteams"): {"limit"},
    ("teams", "list_memberships"): {"employee_id", "limit"},
    ("teams", "import_memberships"): {"atomic", "dry_run"},
    ("teams", "export_memberships"): {"format"},
}


def owned(service: str, name: str) -> list[WerkzeugRule]:
    app = OWNERS[service]
    return [rule for rule in app.url_map.iter_rules() if rule.endpoint.rpartition(".")[2] == name]


def parameters(service: str, name: str) -> set[str]:
    """The query parameters of an operation, by its owner's OpenAPI document."""
    document = make_document(OWNERS[service], service, "1", "")
    (found,) = [one for methods in document["paths"].values() for one in methods.values() if one.get("operationId") == name]
    shared = document["components"].get("parameters", {})
    told = [shared[one["$ref"].rpartition("/")[2]] if "$ref" in one else one for one in found.get("parameters", [])]
    return {one["name"] for one in told if one["in"] == "query"}


@pytest.mark.parametrize(("service", "rule"), LINKS, ids=lambda part: part if isinstance(part, str) else part.name)
def test_the_owner_has_the_operation_in_this_form(service: str, rule: Rule) -> None:
    (theirs,) = owned(service, rule.name)
    assert theirs.rule == rule.path
    assert rule.method in (theirs.methods or set())


@pytest.mark.parametrize(("service", "rule"), LINKS, ids=lambda part: part if isinstance(part, str) else part.name)
def test_the_policy_is_the_owners(service: str, rule: Rule) -> None:
    app = OWNERS[service]
    (theirs,) = owned(service, rule.name)
    found = operation_of(app.view_functions[theirs.endpoint])
    assert found is not None
    assert found.allow == rule.allow
    assert (found.budget is None) is (rule.budget is None)


@pytest.mark.parametrize("service", UPSTREAMS)
def test_nothing_of_the_owners_is_forgotten(service: str) -> None:
    theirs = {rule.endpoint.rpartition(".")[2] for rule in OWNERS[service].url_map.iter_rules()}
    assert theirs - KEPT == {rule.name for rule in UPSTREAMS[service]}


@pytest.mark.parametrize("link", READ, ids=lambda link: link[1])
def test_the_fields_that_are_read_are_answered_in_their_types(link: tuple[str, str]) -> None:
    service, name = link
    app = OWNERS[service]
    (rule,) = owned(service, name)
    found = operation_of(app.view_functions[rule.endpoint])
    assert found is not None
    ours, theirs = dict(fields(READ[link])), dict(fields(found.responses[200]))
    assert ours.keys() <= theirs.keys()
    assert {name: theirs[name] for name, kind in ours.items() if not theirs[name] <= kind} == {}


def fields(kind: Any, path: str = "") -> Iterator[tuple[str, set[str]]]:
    """The fields of a Struct with the JSON types they may have, those of a list's items included."""
    (schema,), parts = msgspec.json.schema_components([kind])
    yield from _fields(schema, parts, path)


def _fields(schema: dict[str, Any], parts: dict[str, Any], path: str) -> Iterator[tuple[str, set[str]]]:
    schema = _resolved(schema, parts)
    if "properties" in schema:
        for name, inner in schema["properties"].items():
            yield f"{path}.{name}", _types(inner, parts)
            yield from _fields(inner, parts, f"{path}.{name}")
    elif "items" in schema:
        yield from _fields(schema["items"], parts, path)


def _resolved(schema: dict[str, Any], parts: dict[str, Any]) -> dict[str, Any]:
    return dict(parts[schema["$ref"].rpartition("/")[2]]) if "$ref" in schema else schema


def _types(schema: dict[str, Any], parts: dict[str, Any]) -> set[str]:
    schema = _resolved(schema, parts)
    if "anyOf" in schema:
        return set().union(*(_types(one, parts) for one in schema["anyOf"]))
    if "enum" in schema:
        return {"string"}
    return {schema["type"]}


@pytest.mark.parametrize("link", ASKED, ids=lambda link: link[1])
def test_the_parameters_that_are_given_are_taken(link: tuple[str, str]) -> None:
    assert parameters(*link) >= ASKED[link]


def test_a_detour_is_no_parameter_of_the_owners() -> None:
    for service, rule in LINKS:
        if rule.detour:
            assert rule.detour not in parameters(service, rule.name)


def test_every_path_is_closed() -> None:
    for _, rule in LINKS:
        assert re.fullmatch(r"(/(v1|[a-z-]+|<int:[a-z_]+>))+", rule.path)

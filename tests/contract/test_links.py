"""The links between services: whatever a service uses of another, its owner has, in that form, in these types and under that policy."""

import re
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from quart import Quart
from werkzeug.routing import Rule as WerkzeugRule

import employees
import teams
from employees.config import Settings as EmployeesSettings
from gateway.clients import UPSTREAMS, Rule
from shared.operations import operation_of
from teams.config import Settings as TeamsSettings
from tools.contracts.links import Link, faults, links

Document = dict[str, Any]

OWNERS: dict[str, Quart] = {
    "employees": employees.create_app(EmployeesSettings(open=True, database_url="sqlite:///unused.db")),
    "teams": teams.create_app(TeamsSettings(open=True, database_url="sqlite:///unused.db", employees_url="")),
}
KEPT = {"home", "openapi", "read_docs", "livez", "readyz", "scrape"}
"""What every service has for its operators and for other services, and the public does not reach."""

RULES = [(service, rule) for service, rules in UPSTREAMS.items() for rule in rules]
LINKS = {f"{link.consumer}-{link.owner}-{link.operation}": link for link in links()}


def document(owner: str) -> Document:
    found: Document = OWNERS[owner].extensions["openapi"]()
    return found


def owned(service: str, name: str) -> list[WerkzeugRule]:
    app = OWNERS[service]
    return [rule for rule in app.url_map.iter_rules() if rule.endpoint.rpartition(".")[2] == name]


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
def test_the_owner_has_all_that_is_used(link: Link) -> None:
    assert faults(link, document(link.owner)) == []


@pytest.mark.parametrize(("service", "rule"), RULES, ids=lambda part: part if isinstance(part, str) else part.name)
def test_the_policy_is_the_owners(service: str, rule: Rule) -> None:
    app = OWNERS[service]
    (theirs,) = owned(service, rule.name)
    assert theirs.rule == rule.path
    found = operation_of(app.view_functions[theirs.endpoint])
    assert found is not None
    assert found.allow == rule.allow
    assert (found.budget is None) is (rule.budget is None)


@pytest.mark.parametrize("service", UPSTREAMS)
def test_nothing_of_the_owners_is_forgotten(service: str) -> None:
    theirs = {rule.endpoint.rpartition(".")[2] for rule in OWNERS[service].url_map.iter_rules()}
    assert theirs - KEPT == {rule.name for rule in UPSTREAMS[service]} - KEPT


def test_a_detour_is_no_parameter_of_the_owners() -> None:
    for service, rule in RULES:
        if rule.detour:
            (told,) = [
                one for methods in document(service)["paths"].values() for one in methods.values() if one["operationId"] == rule.name
            ]
            assert rule.detour not in {one.get("name") for one in told["parameters"]}


def test_every_path_is_closed() -> None:
    for _, rule in RULES:
        assert re.fullmatch(r"(/(v1|[a-z-]+|<int:[a-z_]+>))+", rule.path)


# What turns red when an owner changes: an altered document each, and the words of the fault.

Change = Callable[[Document], Any]


def schema(name: str) -> Callable[[Document], Document]:
    return lambda altered: altered["components"]["schemas"][name]


def rename(table: Callable[[Document], Any], old: str, new: str) -> Change:
    """A key of an object by another name."""

    def change(altered: Document) -> None:
        found = table(altered)
        found[new] = found.pop(old)

    return change


def drop(name: str, field: str) -> Change:
    return lambda altered: schema(name)(altered)["properties"].pop(field)


def retype(name: str, field: str, kind: Any) -> Change:
    return lambda altered: schema(name)(altered)["properties"].update({field: kind})


def get(path: str) -> Callable[[Document], Document]:
    return lambda altered: altered["paths"][path]["get"]


def without_parameter(path: str, name: str) -> Change:
    def change(altered: Document) -> None:
        operation = get(path)(altered)
        operation["parameters"] = [one for one in operation["parameters"] if one.get("name") != name]

    return change


ID = "/v1/employees/{employee_id}"
ALTERED: list[tuple[str, str, Change, str]] = [
    ("gateway", "employees", rename(lambda found: found["paths"], ID, "/v1/people/{employee_id}"), "get_employee of employees: it is GET"),
    ("gateway", "employees", lambda found: get(ID)(found).update(operationId="read_employee"), "get_employee of employees: there is no"),
    ("gateway", "employees", rename(lambda found: found["paths"][ID], "put", "post"), "replace_employee of employees: it is POST"),
    ("gateway", "employees", without_parameter("/v1/employees", "username"), "list_employees of employees: it has no parameter username"),
    ("gateway", "teams", without_parameter("/v1/memberships", "employee_id"), "list_memberships of teams: it has no parameter employee_id"),
    ("gateway", "employees", drop("Employee", "username"), "items[].username is not in the answer"),
    ("gateway", "employees", drop("PlacedEmployee", "depth"), "list_reports of employees: items[].depth is not"),
    ("gateway", "teams", drop("MembershipPage", "next"), "next is not in the answer"),
    ("gateway", "employees", retype("Employee", "id", {"type": "string", "maxLength": 20}), "id is string, and is read as integer"),
    ("gateway", "employees", retype("Employee", "status", {"enum": ["active", "inactive", "away"]}), "status may be ['away']"),
    ("gateway", "teams", retype("Team", "slug", {"anyOf": [{"type": "string"}, {"type": "null"}]}), "slug is null, and is read as string"),
    ("gateway", "employees", lambda found: schema("Employee")(found)["required"].remove("manager_id"), "manager_id may be missing"),
    ("gateway", "teams", drop("ImportReport", "refused"), "import_memberships of teams: refused is not"),
    ("gateway", "teams", drop("MembershipExport", "since"), "export_memberships of teams: since is not"),
    ("gateway", "teams", drop("MembershipRow", "line"), "import_memberships of teams: its table has no column line"),
    ("teams", "employees", drop("EmployeeEvent", "subject"), "list_changes of employees: [].subject is not"),
    ("teams", "employees", drop("Employee", "status"), "list_changes of employees: [].data.status is not"),
    ("teams", "employees", without_parameter("/v1/changes", "wait"), "list_changes of employees: it has no parameter wait"),
]


@pytest.mark.parametrize(("consumer", "owner", "change", "words"), ALTERED, ids=[words for *_, words in ALTERED])
def test_a_change_that_breaks_a_link_names_both_ends(consumer: str, owner: str, change: Change, words: str) -> None:
    altered = deepcopy(document(owner))
    change(altered)
    found = [fault for link in LINKS.values() if (link.consumer, link.owner) == (consumer, owner) for fault in faults(link, altered)]
    assert any(words in fault and fault.startswith(f"{consumer} uses ") and f" of {owner}: " in fault for fault in found), found


def test_a_wider_answer_and_a_new_parameter_break_nothing() -> None:
    altered = deepcopy(document("employees"))
    schema("Employee")(altered)["properties"]["nickname"] = {"type": "string", "maxLength": 100}
    get("/v1/employees")(altered)["parameters"].append({"name": "nickname", "in": "query", "required": False, "schema": {"type": "string"}})
    schema("Employee")(altered)["description"] = "An employee, at length."
    assert [fault for link in LINKS.values() if link.owner == "employees" for fault in faults(link, altered)] == []

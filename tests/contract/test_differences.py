"""Differences between documents: which are told, which break, and whom."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tools.contracts.consumers import broken, uses_of
from tools.contracts.differences import compare
from tools.contracts.documents import today

Change = Callable[[Any], object]
EMPLOYEES = today("employees")
PEOPLE, PERSON = "/v1/employees", "/v1/employees/{employee_id}"


def schema(document: Any, name: str) -> Any:
    return document["components"]["schemas"][name]


def query(document: Any, name: str) -> Any:
    return next(one for one in document["paths"][PEOPLE]["get"]["parameters"] if one.get("name") == name)


def rename(document: Any, name: str, field: str, to: str) -> None:
    """Rename a field of a schema."""
    found = schema(document, name)
    found["properties"][to] = found["properties"].pop(field)
    found["required"] = [to if one == field else one for one in found.get("required", ())]


BREAKING: dict[str, tuple[Change, str]] = {
    "an operation goes": (lambda d: d["paths"].pop(f"{PERSON}/reports"), "list_reports: GET /v1/employees/{}/reports is gone"),
    "a method goes": (lambda d: d["paths"][PERSON].pop("put"), "replace_employee: PUT /v1/employees/{} is gone"),
    "an operation is renamed": (
        lambda d: d["paths"][PERSON]["get"].update(operationId="read_employee"),
        "get_employee: is called read_employee now",
    ),
    "a policy becomes stricter": (lambda d: d["paths"][PEOPLE]["get"].update({"x-policy": "admin"}), "may be called by admin, was read"),
    "a parameter goes": (
        lambda d: d["paths"][PEOPLE]["get"]["parameters"].remove(query(d, "username")),
        "the query parameter username is gone",
    ),
    "a parameter becomes required": (lambda d: query(d, "q").update(required=True), "the query parameter q must be sent now"),
    "a parameter becomes narrower": (lambda d: query(d, "limit")["schema"].update(maximum=100), "limit has maximum 100, was 200"),
    "a value of a parameter goes": (lambda d: query(d, "status")["schema"].update(enum=["active"]), "status is never inactive any more"),
    "a field of the body becomes required": (
        lambda d: schema(d, "EmployeeBody")["required"].append("title"),
        "create_employee: title of the body must be sent now",
    ),
    "a field of the body goes": (
        lambda d: schema(d, "EmployeeBody")["properties"].pop("title"),
        "create_employee: title of the body is gone",
    ),
    "a field of the answer goes": (
        lambda d: schema(d, "Employee")["properties"].pop("username"),
        "get_employee: username of the answer 200 is gone",
    ),
    "a field of the answer is renamed": (
        lambda d: rename(d, "Employee", "username", "login"),
        "list_employees: items[].username of the answer 200 is gone",
    ),
    "a field of the answer has another type": (
        lambda d: schema(d, "Employee")["properties"].update(username={"type": "integer"}),
        "get_employee: username of the answer 200 can be an integer now",
    ),
    "a field of the answer may be missing": (
        lambda d: schema(d, "Employee")["required"].remove("username"),
        "get_employee: username of the answer 200 may be missing now",
    ),
    "a field of the answer may be another word": (
        lambda d: schema(d, "Employee")["properties"]["status"].update(enum=["active", "away", "inactive"]),
        "get_employee: status of the answer 200 may be away now",
    ),
    "a status goes": (lambda d: d["paths"][PEOPLE]["post"]["responses"].pop("409"), "create_employee: never answers 409 any more"),
    "a header goes": (
        lambda d: d["paths"][PEOPLE]["post"]["responses"]["201"]["headers"].pop("Location"),
        "create_employee: the answer 201 has no Location any more",
    ),
    "a media type goes": (
        lambda d: d["paths"][PEOPLE]["get"]["responses"]["200"]["content"].pop("application/yaml"),
        "list_employees: the answer 200 is never application/yaml any more",
    ),
    "a column of a table goes": (
        lambda d: schema(d, "ExportRow")["properties"].pop("manager"),
        "export_employees: manager of the answer 200 is gone",
    ),
}
HARMLESS: dict[str, tuple[Change, str]] = {
    "a new operation": (lambda d: d["paths"].update({"/v1/new": {"get": {**d["paths"][PEOPLE]["get"], "operationId": "new"}}}), "is new"),
    "a new parameter": (
        lambda d: d["paths"][PEOPLE]["get"]["parameters"].append({"name": "office", "in": "query", "schema": {"type": "string"}}),
        "the query parameter office is new",
    ),
    "a new field in the body": (
        lambda d: schema(d, "EmployeeBody")["properties"].update(office={"type": "string"}),
        "office of the body is new",
    ),
    "a new field in the answer": (
        lambda d: schema(d, "Employee")["properties"].update(office={"type": "string"}),
        "office of the answer 200 is new",
    ),
    "a wider parameter": (lambda d: query(d, "limit")["schema"].update(maximum=500), "limit has maximum 500, was 200"),
    "a new status": (
        lambda d: d["paths"][PEOPLE]["get"]["responses"].update({"429": {"$ref": "#/components/responses/Overloaded"}}),
        "may answer 429 now",
    ),
    "a deprecation": (lambda d: d["paths"][PEOPLE]["get"].update(deprecated=True), "is deprecated now"),
}
SILENT: dict[str, Change] = {
    "nothing": lambda d: None,
    "a longer description": lambda d: schema(d, "Employee").update(description="Somebody who works here, at length."),
    "another order": lambda d: schema(d, "Employee")["required"].reverse(),
    "another name of a schema": lambda d: d["paths"][PERSON]["get"].update(tags=["others"]),
}


def changed(change: Change) -> Any:
    document = copy.deepcopy(EMPLOYEES)
    change(document)
    return document


@pytest.mark.parametrize("name", BREAKING)
def test_what_breaks_is_told(name: str) -> None:
    change, words = BREAKING[name]
    found = [str(one) for one in compare(EMPLOYEES, changed(change)) if one.breaking]
    assert any(words in one for one in found), found


@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_harmless_is_told_as_such(name: str) -> None:
    change, words = HARMLESS[name]
    found = compare(EMPLOYEES, changed(change))
    assert [str(one) for one in found if one.breaking] == []
    assert any(words in str(one) for one in found), found


@pytest.mark.parametrize("name", SILENT)
def test_what_nobody_sees_is_not_told(name: str) -> None:
    assert compare(EMPLOYEES, changed(SILENT[name])) == []


def hit(change: Change, operation: str) -> str:
    """Whom a change of one operation breaks."""
    uses = uses_of("employees", EMPLOYEES)
    return "; ".join(
        who for one in compare(EMPLOYEES, changed(change)) if one.operation == operation for who in broken("employees", one, uses)
    )


def test_a_field_that_goes_names_its_readers() -> None:
    gone = hit(lambda d: schema(d, "Employee")["properties"].pop("manager_id"), "get_employee")
    assert "gateway (Employee.manager_id; pact: someone who has a manager" in gone
    assert "clients of the gateway" in gone


def test_a_field_that_only_outsiders_read_names_no_service() -> None:
    assert hit(lambda d: schema(d, "Employee")["properties"].pop("phone"), "get_employee") == "clients of the gateway"


def test_the_feed_names_teams() -> None:
    gone = hit(lambda d: schema(d, "Employee")["properties"].pop("username"), "list_changes")
    assert "teams (EmployeeState.username" in gone
    assert "clients of the gateway" not in gone


def test_a_parameter_that_goes_names_who_sends_it() -> None:
    gone = hit(lambda d: d["paths"][PEOPLE]["get"]["parameters"].remove(query(d, "username")), "list_employees")
    assert gone.startswith("gateway (pact: the id of a username")

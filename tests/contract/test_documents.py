"""The OpenAPI documents are valid, whole and bounded, and say of every route what it is."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from quart import Quart

import employees
import employees.config
import gateway
import gateway.config
import teams
import teams.config
from gateway.edge.table import Table
from gateway.union import frozen
from shared.identity import generate_key
from shared.openapi.reading import POLICY, STYLE, make_page
from shared.operations import PUBLIC, operation_of
from shared.testing.examples import operations
from tools.openapi import TARGET, forwarded

SIGNING, PUBLIC_KEYS = generate_key("gateway")
APPS: dict[str, Quart] = {
    "employees": employees.create_app(employees.config.Settings(identity_keys=PUBLIC_KEYS)),
    "teams": teams.create_app(teams.config.Settings(identity_keys=PUBLIC_KEYS)),
    "gateway": gateway.create_app(gateway.config.Settings(signing_key=SIGNING, session_keys="k" * 40)),
}
"""Made, never started: their documents need no database."""

Where = tuple[str, ...]
OPEN_TO_ALL = (("get_session", "read"), ("get_token", "read"), ("list_changes", "read"))
"""Whoever is let in may ask who they are, follow what happens, and does not see other people's tokens."""
SOMEBODYS = "https://hooks.example.org/"
"""The address of an example's receiver."""


@pytest.fixture(params=APPS)
def app(request: pytest.FixtureRequest) -> Quart:
    return APPS[request.param]


@pytest.fixture
def document(app: Quart) -> dict[str, Any]:
    found: dict[str, Any] = app.extensions["openapi"]()
    return found


def test_the_document_is_openapi_3_1(document: dict[str, Any]) -> None:
    errors = OpenAPIV31SpecValidator(msgspec.json.decode(msgspec.json.encode(document))).iter_errors()
    assert [error.message for error in errors] == []
    assert document["openapi"].startswith("3.1")


def schemas(part: Any, where: Where = ()) -> Iterator[tuple[Where, dict[str, Any]]]:
    """Every schema in a part of a document, those in other schemas included."""
    if isinstance(part, dict):
        if "type" in part and isinstance(part["type"], str):
            yield where, part
        for name, inner in part.items():
            if name not in ("example", "examples", "securitySchemes"):
                yield from schemas(inner, (*where, name))
    elif isinstance(part, list):
        for place, inner in enumerate(part):
            yield from schemas(inner, (*where, str(place)))


def is_bounded(schema: dict[str, Any]) -> bool:
    if schema.keys() & {"enum", "const"}:
        return True
    if schema["type"] == "string":
        return "maxLength" in schema or schema.get("format") in ("date", "binary")
    if schema["type"] in ("integer", "number"):
        return {"minimum", "maximum"} <= schema.keys()
    return schema["type"] != "array" or {"maxItems", "items"} <= schema.keys()


def test_every_text_number_and_list_has_bounds(document: dict[str, Any]) -> None:
    found = list(schemas(document))
    assert len(found) > 100
    assert [where for where, schema in found if not is_bounded(schema)] == []


def test_a_page_has_200_rows_at_most_and_a_list_of_ids_100(document: dict[str, Any]) -> None:
    """But for batches of events, which are read by programs."""
    for name, bound, most in (("limit", "maximum", 200), ("id", "maxItems", 100)):
        asked = [
            (operation["operationId"], schema[bound])
            for _, _, operation in operations(document)
            for parameter in operation.get("parameters", [])
            if parameter.get("name") == name
            for _, schema in schemas(parameter)
            if bound in schema
        ]
        assert max(found for operation, found in asked if operation != "list_changes") == most


def test_every_operation_is_told_whole(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))
    for _, _, operation in operations(document):
        name, responses = operation["operationId"], operation["responses"]
        assert operation["summary"].endswith("."), name
        assert operation["description"], name
        assert operation["tags"], name
        assert {"400", "500", "504"} <= responses.keys(), name
        if operation["x-policy"] != PUBLIC.name:
            assert {"401", "503"} <= responses.keys(), name
            assert ("403" in responses) is ((name, operation["x-policy"]) not in OPEN_TO_ALL), name
            assert "security" not in operation, name
        assert all(response.get("description") or "$ref" in response for response in responses.values()), name


def test_every_operation_has_examples_of_its_request_and_of_its_main_answer(document: dict[str, Any]) -> None:
    for _, _, operation in operations(document):
        name = operation["operationId"]
        parameters = [one for one in operation["parameters"] if one.get("in") == "path" or one.get("required")]
        assert all("example" in one for one in parameters), name
        if "requestBody" in operation:
            assert any("examples" in content for content in operation["requestBody"]["content"].values()), name
        answers = {status: response for status, response in operation["responses"].items() if status < "300" or status == "302"}
        assert answers, name
        assert any(
            "content" not in response or any("examples" in content for content in response["content"].values())
            for response in answers.values()
        ), name


def test_a_body_in_json_refuses_what_it_does_not_know(document: dict[str, Any]) -> None:
    for _, _, operation in operations(document):
        schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        if schema is not None:
            body = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
            assert body["additionalProperties"] is False, operation["operationId"]


def template(path: str) -> str:
    return re.sub(r"<(?:[^:>]*:)?([^>]+)>", r"{\1}", path)


@pytest.mark.parametrize("service", ["employees", "teams"])
def test_routes_and_operations_are_the_same(service: str) -> None:
    app = APPS[service]
    routes = {
        (template(rule.rule), method.lower(), found.name)
        for rule in app.url_map.iter_rules()
        if (found := operation_of(app.view_functions[rule.endpoint])) is not None
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert routes == {(path, method, one["operationId"]) for path, method, one in operations(app.extensions["openapi"]())}


def test_what_the_gateway_answers_and_what_it_documents_are_the_same() -> None:
    document, table = APPS["gateway"].extensions["openapi"](), table_of(APPS["gateway"])
    routes = {(template(route.path), route.method.lower(), route.name) for route in table.routes}
    assert routes == {(path, method, one["operationId"]) for path, method, one in operations(document)}
    detours = {(route.name, route.detour[0].decode(), route.detour[1].name) for route in table.routes if route.detour}
    assert detours == {(one["operationId"], *pair) for _, _, one in operations(document) for pair in one.get("x-detour", {}).items()}


def table_of(app: Quart) -> Table:
    """The table of the edge, which stands between shared's and Quart."""
    layer: Any = app.asgi_app
    while not hasattr(layer, "table"):
        layer = layer.app
    found: Table = layer.table
    return found


def test_the_gateway_has_its_services_documents() -> None:
    assert TARGET.read_bytes() == forwarded(), "a service's contract has changed: run make openapi, and see what the gateway makes of it"


def test_a_forwarded_operation_keeps_its_parameters_and_answers() -> None:
    ours = {one["operationId"]: one for _, _, one in operations(APPS["gateway"].extensions["openapi"]())}
    for described in frozen().values():
        for _, _, theirs in operations(described):
            mine = ours[theirs["operationId"]]
            assert all(parameter in mine["parameters"] for parameter in theirs["parameters"])
            assert mine.get("requestBody") == theirs.get("requestBody")
            assert mine["responses"].keys() >= theirs["responses"].keys() | {"502"}


def test_schemas_that_both_know_are_the_same() -> None:
    """Also those that are nobody's own: problems, reports of imports."""
    ours = APPS["gateway"].extensions["openapi"]()["components"]["schemas"]
    for described in frozen().values():
        assert {name: ours[name] for name in described["schemas"]} == described["schemas"]


def test_nothing_leads_elsewhere(document: dict[str, Any]) -> None:
    page = make_page(document).decode()
    shown = msgspec.json.encode(document).decode().replace(SOMEBODYS, "")
    assert re.findall(r"https?://[^\s\"<]+", shown) == []
    assert re.findall(r"(?:https?:)?//[^\s\"<]+|<script|<img|<link|style=|\son\w+=", page.replace(SOMEBODYS, "")) == []


def test_the_page_tells_every_operation_and_every_schema(document: dict[str, Any]) -> None:
    page = make_page(document).decode()
    anchors = set(re.findall(r'id="([^"]+)"', page))
    assert {one["operationId"] for _, _, one in operations(document)} <= anchors
    assert {f"schema-{name}" for name in document["components"]["schemas"]} <= anchors
    assert set(re.findall(r'href="#([^"]+)"', page)) <= anchors


def test_whatever_a_document_says_the_page_escapes(document: dict[str, Any]) -> None:
    evil = "<script>alert('&\"')</script>"
    info = {**document["info"], "title": evil, "description": evil}
    paths = {
        f"/{evil}": {"get": {**one, "summary": evil, "description": evil, "tags": [evil], "operationId": evil}}
        for _, _, one in list(operations(document))[:1]
    }
    page = make_page({**document, "info": info, "paths": paths}).decode()
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 6


async def test_the_page_has_a_policy_of_its_own(app: Quart) -> None:
    served = await app.test_client().get("/docs", scope_base={"server": ("127.0.0.1", 80), "client": ("127.0.0.1", 9)})
    assert served.status_code == 200
    assert served.headers.getlist("Content-Security-Policy") == [POLICY]
    assert f"<style>{STYLE}</style>" in (await served.get_data(as_text=True))
    assert served.content_type == "text/html; charset=utf-8"


def test_neither_page_nor_figures_need_be_served(tmp_path: Path) -> None:
    bare = employees.create_app(employees.config.Settings(open=True, docs=False, metrics=False, log_level="error"))
    assert not {"/docs", "/metrics"} & bare.extensions["openapi"]()["paths"].keys()

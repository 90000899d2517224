"""The OpenAPI 3.1 document, made from the operations by quart-schema's provider."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from quart import Quart
from quart_schema import Info, QuartSchema
from quart_schema.openapi import HttpSecurityScheme, OpenAPIProvider
from werkzeug.routing import BaseConverter, Rule

from shared.converters import MAX_ID, IdConverter, NameConverter
from shared.errors import FieldError, phrase
from shared.operations import JSON_TYPE, PUBLIC, Operation, Upload, operation_of

REF: Final = "#/components/schemas/{name}"
ALWAYS: Final = (500, 503, 504)


class ProblemDocument(msgspec.Struct):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: int
    description: str
    message: str
    request_id: str
    errors: list[FieldError] = []


class Provider(OpenAPIProvider):
    """What quart-schema can't know: operations as declared, converters' bounds, problems, media types."""

    def generate_rules(self) -> Iterable[Rule]:
        for rule in sorted(super().generate_rules(), key=lambda rule: rule.rule):
            found = operation_of(self._app.view_functions[rule.endpoint])
            if found is not None and not found.hidden:
                yield rule

    def operation_id(self, method: str, path: str, func: Any) -> str | None:
        return str(func.__name__)

    def build_path_parameter(self, name: str, converter: BaseConverter) -> dict[str, Any]:
        parameter = super().build_path_parameter(name, converter)
        if isinstance(converter, IdConverter):
            parameter["schema"] |= {"minimum": 0, "maximum": MAX_ID, "format": "int64"}
        elif isinstance(converter, NameConverter):
            parameter["schema"] |= {"pattern": f"^{converter.regex}$", "maxLength": 64}
        return parameter

    def build_paths(self, rule: Rule) -> tuple[dict[str, Any], dict[str, Any]]:
        paths, components = super().build_paths(rule)
        found = operation_of(self._app.view_functions[rule.endpoint])
        assert found is not None
        for path in paths.values():
            for method, document in path.items():
                document["tags"] = [rule.endpoint.rpartition(".")[0] or "service"]
                self._describe(found, method, document, components, bool(rule.arguments))
        return paths, components

    def _describe(self, found: Operation, method: str, document: dict[str, Any], components: dict[str, Any], has_path: bool) -> None:
        schema = _Schemas(components)
        if found.query is not None:
            document["parameters"] = document["parameters"] + schema.query(found.query)
        if found.body is not None:
            document["requestBody"] = {"required": not found.body_optional, "content": _contents(found.body_types, schema.of(found.body))}
        document["responses"] = {
            str(status): _response(status, schema.of(kind), found.response_types) for status, kind in found.responses.items()
        }
        schema.of(ProblemDocument)
        for status in sorted(_problems(found, has_path)):
            document["responses"].setdefault(str(status), _problem(status))
        if found.allow is PUBLIC:
            document["security"] = []
        document["x-policy"] = found.allow.name


class _Schemas:
    """JSON Schemas of Structs, their parts collected as components."""

    def __init__(self, components: dict[str, Any]) -> None:
        self._components = components

    def of(self, kind: Any) -> dict[str, Any] | None:
        if kind is None:
            return None
        if kind is Upload or kind is bytes:
            return {"type": "string", "format": "binary"}
        (schema,), parts = msgspec.json.schema_components([kind], ref_template=REF)
        self._components |= parts
        return dict(schema)

    def query(self, kind: type[msgspec.Struct]) -> list[dict[str, Any]]:
        _, found = msgspec.json.schema_components([kind], ref_template=REF)
        parts: dict[str, Any] = dict(found)
        model = parts.pop(kind.__name__)
        self._components |= parts
        return [_query_parameter(name, schema, name in model.get("required", ())) for name, schema in model["properties"].items()]


def _query_parameter(name: str, schema: dict[str, Any], required: bool) -> dict[str, Any]:
    described: dict[str, Any] = {"name": name, "in": "query", "required": required, "schema": _without_null(schema)}
    if "description" in schema:
        described["description"] = described["schema"].pop("description")
    if described["schema"].get("type") == "array":
        described |= {"style": "form", "explode": False}
    return described


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter is absent, never null."""
    rest = {key: value for key, value in schema.items() if not (key == "default" and value is None)}
    kinds = [part for part in rest.pop("anyOf", []) if part != {"type": "null"}]
    if len(kinds) == 1:
        return {**rest, **kinds[0]}
    return rest | ({"anyOf": kinds} if kinds else {})


def _contents(types: Iterable[str], schema: Any) -> dict[str, Any]:
    return {media_type: {"schema": schema} for media_type in types}


def _response(status: int, schema: Any, types: tuple[str, ...]) -> dict[str, Any]:
    described: dict[str, Any] = {"description": phrase(status)}
    if schema is not None:
        offered = (*types, "application/yaml") if JSON_TYPE in types else types
        described["content"] = _contents(offered, schema)
    return described


def _problem(status: int) -> dict[str, Any]:
    schema = {"$ref": REF.format(name="ProblemDocument")}
    described: dict[str, Any] = {"description": phrase(status)}
    return described | {"content": _contents(("application/problem+json", "application/problem+yaml"), schema)}


def _problems(found: Operation, has_path: bool) -> set[int]:
    """What follows from the declaration, and what it adds."""
    follows = {400, *ALWAYS, *found.problems}
    if found.allow is not PUBLIC:
        follows |= {401, 403}
    if has_path:
        follows.add(404)
    if found.body is not None:
        follows |= {408, 413, 415, 422}
    return follows


def make_document(app: Quart, title: str, version: str, description: str) -> dict[str, Any]:
    """The document of an app whose routes are all registered."""
    app.config.setdefault("QUART_SCHEMA_CONVERSION_PREFERENCE", "msgspec")
    app.config.setdefault("QUART_SCHEMA_CONVERT_CASING", False)
    extension = QuartSchema(
        info=Info(title=title, version=version, description=description),
        security_schemes={"assertion": HttpSecurityScheme(scheme="bearer", bearer_format="JWT")},
        security=[{"assertion": []}],
    )
    return Provider(app, extension).schema()

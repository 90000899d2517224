"""JSON Schemas of Structs, their parts collected as components."""

from typing import Any, Final

import msgspec

from shared.openapi.headers import Described
from shared.operations import Upload

REF: Final = "#/components/schemas/{name}"
NO_NUL: Final = r"^[^\x00]*$"
PREFIX: Final = "#/components/schemas/"


class Schemas:
    """Schemas by reference; what they refer to is put into `components`."""

    def __init__(self, components: Described) -> None:
        self._components = components

    def of(self, kind: Any) -> Described | None:
        """The schema of a type; None for no content."""
        if kind is None:
            return None
        if kind is Upload or kind is bytes:
            return {"type": "string", "format": "binary"}
        (schema,), parts = msgspec.json.schema_components([kind], ref_template=REF)
        for name, part in parts.items():
            self._components.setdefault(name, _plain(part))
        found: Described = _plain(schema)
        return found

    def some_of(self, schema: Described) -> Described:
        """The same record, or page of records, with any of its fields left out: what `fields` asks for."""
        name = schema["$ref"].removeprefix(PREFIX)
        whole = self._components[name]
        some = {**whole, "title": f"{name}Fields", "x-only-with": "fields"}
        items = whole["properties"].get("items")
        if items is None:
            some.pop("required", None)
            some["minProperties"] = 1
        else:
            inner = self.some_of(items["items"])
            some["properties"] = {**whole["properties"], "items": {**items, "items": inner}}
        self._components.setdefault(f"{name}Fields", some)
        return {"$ref": f"{PREFIX}{name}Fields"}

    def query(self, kind: type[msgspec.Struct]) -> list[Described]:
        """The parameters that a query Struct stands for."""
        _, found = msgspec.json.schema_components([kind], ref_template=REF)
        parts: Described = dict(found)
        model = parts.pop(kind.__name__)
        self._components |= parts
        return [_parameter(name, schema, name in model.get("required", ())) for name, schema in model["properties"].items()]


def _parameter(name: str, schema: Described, required: bool) -> Described:
    described: Described = {"name": name, "in": "query", "required": required, "schema": _text_without_nul(_without_null(schema))}
    if "description" in described["schema"]:
        described["description"] = described["schema"].pop("description")
    if described["schema"].get("type") == "array":
        described |= {"style": "form", "explode": False}
    return described


def _without_null(schema: Described) -> Described:
    """A parameter is absent, never null."""
    rest = {key: value for key, value in schema.items() if not (key == "default" and value is None)}
    kinds = [part for part in rest.pop("anyOf", []) if part != {"type": "null"}]
    if len(kinds) == 1:
        return {**rest, **kinds[0]}
    return rest | ({"anyOf": kinds} if kinds else {})


def _text_without_nul(schema: Described) -> Described:
    """No query takes a NUL character (`shared.queries`)."""
    if schema.get("type") == "string" and "pattern" not in schema and "format" not in schema:
        return {**schema, "pattern": NO_NUL}
    if schema.get("type") == "array":
        return {**schema, "items": _text_without_nul(schema["items"])}
    return schema


def _plain(schema: Any) -> Any:
    """As msgspec gives it, with enums that say their type, and a reference that stands for the whole alone.

    A type that is described by `extra_json_schema={"$ref": …}` or `{"allOf": …}` comes out as that.
    """
    if isinstance(schema, list):
        return [_plain(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema and "allOf" in schema:
        return {"allOf": [{"$ref": schema["$ref"]}, *schema["allOf"]]}
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    found = {
        key: {name: _plain(part) for name, part in value.items()} if key == "properties" else _plain(value) for key, value in schema.items()
    }
    if "enum" in found and "type" not in found and all(isinstance(value, str) for value in found["enum"]):
        found["type"] = "string"
    return found

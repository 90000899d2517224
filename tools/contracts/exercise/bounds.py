"""Each bound that a document sets for a request, and a request that keeps all bounds but this one."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tools.contracts.exercise.asking import Case, body_of
from tools.contracts.exercise.documents import Operation

Broken = Iterator[tuple[str, Any]]
UNLIKELY: Final = (" a", "A B", "a\0b")
STRANGE: Final = "zz-no-such-name"
ENDS: Final = {"If-Match": "malformed", "If-None-Match": "malformed", "X-Request-Timeout-Ms": "soon"}


def broken(schema: Any, operation: Operation, *, text: bool) -> Broken:
    """(the bound's name, a value beyond it alone). `text`: the value is written into a query, where everything is text."""
    schema = operation.found(schema)
    options = [operation.found(one) for one in schema.get("anyOf", [schema])]
    options = [one for one in options if one.get("type") != "null"]
    kinds = {one.get("type", "string") for one in options}
    if not text:
        yield "type", 7 if "string" in kinds and "integer" not in kinds else {"no": "such"}
    elif kinds <= {"integer", "boolean"}:
        yield "type", "some-text"
    if any("enum" in one or "const" in one for one in options) and (text or kinds <= {"string"}):
        yield "enum", STRANGE
    if len(options) == 1:
        yield from _limits(options[0], operation, text=text)


def _limits(schema: Mapping[str, Any], operation: Operation, *, text: bool) -> Broken:
    if schema.get("minLength", 0) > 0 and "enum" not in schema:
        yield "minLength", ""
    if "maxLength" in schema and "format" not in schema:
        yield (
            "maxLength",
            "x" * (schema["maxLength"] - 4) + "@y.z1" if "@" in schema.get("pattern", "") else "x" * (schema["maxLength"] + 1),
        )
    if "pattern" in schema:
        yield "pattern", next(one for one in UNLIKELY if not re.search(schema["pattern"], one))
    if "format" in schema and schema.get("type") == "string":
        yield "format", "2026-99-99"
    if "minimum" in schema:
        yield "minimum", schema["minimum"] - 1
    if "maximum" in schema:
        yield "maximum", schema["maximum"] + 1
    if schema.get("type") == "array":
        yield from _items(schema, operation, text=text)


def _items(schema: Mapping[str, Any], operation: Operation, *, text: bool) -> Broken:
    items = operation.found(schema["items"])
    good: Any = items.get("minimum", 1) if items.get("type") == "integer" else items.get("enum", ["x"])[0]
    if "maxItems" in schema:
        yield "maxItems", [good] * (schema["maxItems"] + 1)
    for name, value in broken(items, operation, text=text):
        if not (text and value == ""):
            yield f"items.{name}", [value]


def cases(operation: Operation) -> Iterator[Case]:
    """A request for each bound of the parameters and of the JSON body."""
    yield from _parameters(operation)
    yield from _headers(operation)
    media_type, value = operation.example()
    if media_type.endswith("json"):
        content = operation.bodies()[media_type]
        for about, body, name in _fields(operation.found(content["schema"]), value or {}, operation):
            bare: dict[str, str] = {"content-type": media_type}
            yield operation.case(422, about, headers=bare, body=body_of(body), names=name)


def _parameters(operation: Operation) -> Iterator[Case]:
    if "query" in operation.described.get("x-unbound", ()):
        return
    base = dict(operation.case(200, "").query)
    for name, described in operation.parameters("query").items():
        for bound, value in broken(described["schema"], operation, text=True):
            yield operation.case(400, f"query {name}: {bound}", query={**base, name: value}, names=name)
    if operation.parameters("query") and not operation.described.get("x-lenient"):
        yield operation.case(400, "query: additionalProperties", query={**base, STRANGE: "1"}, names=STRANGE)
    for name, described in operation.parameters("path").items():
        for bound, value in broken(described["schema"], operation, text=True):
            if value != "" and bound != "minimum":
                yield operation.case(404, f"path {name}: {bound}", path=operation.path(**{name: value}))


def _headers(operation: Operation) -> Iterator[Case]:
    for name in operation.parameters("header"):
        if name in ENDS:
            yield operation.case(400, f"header {name}: pattern", headers={name: ENDS[name]}, names=name)
        if name == "Idempotency-Key":
            yield operation.case(422, f"header {name}: maxLength", headers={name: "k" * 256}, names=name)


def _fields(schema: Mapping[str, Any], good: Mapping[str, Any], operation: Operation) -> Iterator[tuple[str, Any, str | None]]:
    """(what is broken, the body, the field that has to be named)."""
    for name, inner in schema.get("properties", {}).items():
        for bound, value in broken(inner, operation, text=False):
            yield f"body {name}: {bound}", {**good, name: value}, name
    for name in schema.get("required", ()):
        yield f"body {name}: required", {key: value for key, value in good.items() if key != name}, name
    if schema.get("additionalProperties") is False:
        yield "body: additionalProperties", {**good, STRANGE: 1}, STRANGE
    yield "body: type", [good], None

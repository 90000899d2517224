"""The document as a page to read: made here whole, with no script and nothing from elsewhere. Everything in it is escaped."""

import base64
import json
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, StrictUndefined

from shared.openapi.contract import Document

METHODS: Final = ("get", "post", "put", "patch", "delete")
STYLE: Final = files("shared.openapi").joinpath("page.css").read_text("utf-8")
POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{base64.b64encode(sha256(STYLE.encode()).digest()).decode()}'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""The page's Content-Security-Policy: its own style, known by its digest, and nothing else."""


def make_page(document: Document) -> bytes:
    """The page of a document."""
    tags: dict[str, list[dict[str, Any]]] = {}
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method in methods:
                operation = methods[method]
                tags.setdefault(operation["tags"][0], []).append({**operation, "method": method.upper(), "path": path})
    text = _template().render(document=document, tags=tags, style=STYLE, find=lambda part: _found(part, document), **_FILTERS)
    return bytes(text, "utf-8")


@cache
def _template() -> Any:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(files("shared.openapi").joinpath("page.html").read_text("utf-8"))


def _found(part: dict[str, Any], document: Document) -> dict[str, Any]:
    """What a reference stands for."""
    while "$ref" in part:
        target: Any = document
        for name in part["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        part = target
    return part


def _named(part: dict[str, Any]) -> str | None:
    """The schema that a reference names."""
    reference = part.get("$ref", "")
    return reference.rpartition("/")[2] if reference.startswith("#/components/schemas/") else None


def _kind(schema: dict[str, Any]) -> str:
    """A schema in a few words."""
    if name := _named(schema):
        return name
    for word, key in ((" or ", "anyOf"), (" or ", "oneOf"), (" and ", "allOf")):
        if key in schema:
            return word.join(dict.fromkeys(_kind(part) for part in schema[key]))
    if "const" in schema:
        return json.dumps(schema["const"], ensure_ascii=False)
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    kind = str(schema.get("type", "anything"))
    return f"{kind} ({schema['format']})" if "format" in schema else kind


def _bounds(schema: dict[str, Any]) -> str:
    return ", ".join(_each_bound(schema))


def _each_bound(schema: dict[str, Any]) -> Iterator[str]:
    for inner in schema.get("anyOf", ()):
        yield from _each_bound(inner)
    for words, low, high in (("characters", "minLength", "maxLength"), ("", "minimum", "maximum"), ("items", "minItems", "maxItems")):
        if low in schema and high in schema:
            yield f"{schema[low]} to {schema[high]} {words}".strip()
        elif high in schema:
            yield f"up to {schema[high]} {words}".strip()
        elif low in schema:
            yield f"from {schema[low]} {words}".strip()
    if "pattern" in schema:
        yield f"matches {schema['pattern']}"
    if schema.get("default") is not None:
        yield f"without it {json.dumps(schema['default'], ensure_ascii=False)}"


def _shown(value: Any) -> str:
    """An example as text."""
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


_FILTERS: Final = {"kind": _kind, "bounds": _bounds, "shown": _shown, "named": _named}

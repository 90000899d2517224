"""What schemas say beyond validity: members that none of them names, and the alternatives that a query leaves."""

from collections.abc import Iterator
from typing import Any

Schema = Any


def undocumented(schema: Schema, value: Any, find: Any, path: str = "$") -> Iterator[str]:
    """The members of a valid value that no schema names."""
    parts = list(_parts(schema, find))
    if isinstance(value, dict):
        if any(_is_open(part) for part in parts):
            return
        for name, inner in value.items():
            schemas = [part["properties"][name] for part in parts if name in part.get("properties", {})]
            schemas += [part["additionalProperties"] for part in parts if isinstance(part.get("additionalProperties"), dict)]
            if not schemas:
                yield f"{path}.{name}"
            else:
                yield from undocumented({"allOf": schemas}, inner, find, f"{path}.{name}")
    elif isinstance(value, list):
        items = [part["items"] for part in parts if "items" in part]
        for place, inner in enumerate(value):
            yield from undocumented({"allOf": items}, inner, find, f"{path}[{place}]")


def _parts(schema: Schema, find: Any) -> Iterator[Schema]:
    """A schema and all that it is made of."""
    schema = find(schema)
    yield schema
    for word in ("allOf", "anyOf", "oneOf"):
        for part in schema.get(word, ()):
            yield from _parts(part, find)


def _is_open(part: Schema) -> bool:
    """An object of which the document tells no more than that it is one."""
    return part.get("type") == "object" and "properties" not in part and not isinstance(part.get("additionalProperties"), dict)


def as_asked(schema: Schema, given: set[str], find: Any) -> Schema:
    """The schema with the alternatives that this query leaves."""
    alternatives = schema.get("anyOf", ())
    marks = [part.get("x-only-with", find(part).get("x-only-with")) for part in alternatives]
    if not any(marks):
        return schema
    asked = [part for part, mark in zip(alternatives, marks, strict=True) if mark in given]
    return {"anyOf": asked or [part for part, mark in zip(alternatives, marks, strict=True) if mark is None]}

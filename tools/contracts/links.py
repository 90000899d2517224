"""The links between services: all that a consumer uses of an owner's operation, compared with the owner's OpenAPI document.

A consumer says what it uses where it uses it: the gateway in the rules of its clients, teams in its client of the feed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

import teams.clients
from gateway.clients import UPSTREAMS
from shared.converters import MAX_ID
from shared.feedclient import ASKS, Event

Document = Mapping[str, Any]
Schema = Mapping[str, Any]
LIMITS: Final = (("minimum", 1), ("minLength", 1), ("minItems", 1), ("maximum", -1), ("maxLength", -1), ("maxItems", -1))
"""Bounds, and which way is stricter."""


@dataclass(frozen=True, kw_only=True)
class Link:
    """What a consumer uses of one operation. `calls` is whether it asks by itself, or only passes on what others ask."""

    consumer: str
    owner: str
    operation: str
    method: str
    path: str
    asks: tuple[str, ...] = ()
    sends: tuple[str, ...] = ()
    reads: tuple[Any, ...] = ()

    @property
    def calls(self) -> bool:
        return bool(self.asks or self.sends or self.reads)

    def __str__(self) -> str:
        return f"{self.consumer} uses {self.operation} of {self.owner}"


def links() -> list[Link]:
    """Every link between the services."""
    found = [
        Link(
            consumer="gateway",
            owner=owner,
            operation=rule.name,
            method=rule.method,
            path=rule.path,
            asks=rule.asks,
            sends=rule.sends,
            reads=rule.reads,
        )
        for owner, rules in UPSTREAMS.items()
        for rule in rules
    ]
    (feed,) = teams.clients.RULES.iter_rules()
    asks, reads = ASKS, (list[Event[teams.clients.EmployeeState]],)
    return [
        *found,
        Link(consumer="teams", owner="employees", operation=feed.endpoint, method="GET", path=feed.rule, asks=asks, reads=reads),
    ]


def faults(link: Link, document: Document) -> list[str]:
    """What the consumer uses and the owner's document does not have, or has in another form. Each names both ends."""
    return [f"{link}: {fault}" for fault in _faults(link, _Owner(document))]


class _Owner:
    """A document that is looked into."""

    def __init__(self, document: Document) -> None:
        self.document = document

    def operation(self, name: str) -> tuple[str, str, Schema] | None:
        """Path, method and operation."""
        for path, methods in self.document["paths"].items():
            for method, operation in methods.items():
                if operation["operationId"] == name:
                    return path, method.upper(), operation
        return None

    def found(self, part: Schema) -> Schema:
        """What a reference stands for."""
        while "$ref" in part:
            target: Any = self.document
            for name in part["$ref"].removeprefix("#/").split("/"):
                target = target[name]
            part = target
        return part

    def forms(self, schema: Schema) -> list[Schema]:
        """The forms that a value may have, those aside that only another query brings about."""
        schema = self.found(schema)
        if "anyOf" not in schema:
            return [schema]
        every = [(part, part.get("x-only-with") or self.found(part).get("x-only-with")) for part in schema["anyOf"]]
        return [form for part, mark in every if not mark for form in self.forms(part)]


def _faults(link: Link, owner: _Owner) -> Iterator[str]:
    found = owner.operation(link.operation)
    if found is None:
        yield "there is no operation of this name"
        return
    path, method, operation = found
    if (path, method) != (_template(link.path), link.method):
        yield f"it is {method} {path}, not {link.method} {_template(link.path)}"
    yield from _parameter_faults(link, owner, operation)
    yield from _table_faults(link, owner, operation)
    for kind in link.reads:
        answer = _answer(owner, operation)
        (schema,), parts = msgspec.json.schema_components([kind])
        if answer is None:
            yield "it answers no document"
        else:
            yield from _Reader(owner, {"components": {"schemas": parts}}).faults(schema, answer, "")


def _parameter_faults(link: Link, owner: _Owner, operation: Schema) -> Iterator[str]:
    parameters = [owner.found(one) for one in operation.get("parameters", ())]
    ids = {one["name"]: one["schema"] for one in parameters if one["in"] == "path"}
    for name, schema in ids.items():
        if schema.get("type") != "integer" or schema.get("minimum") != 0 or schema.get("maximum") != MAX_ID:
            yield f"the {name} in its path is not an integer from 0 to {MAX_ID}"
    query = {one["name"]: one for one in parameters if one["in"] == "query"}
    yield from (f"it has no parameter {name}" for name in link.asks if name not in query)
    if link.calls:
        yield from (f"it wants the parameter {name}" for name, one in query.items() if one.get("required") and name not in link.asks)


def _table_faults(link: Link, owner: _Owner, operation: Schema) -> Iterator[str]:
    if link.sends:
        contents = operation.get("requestBody", {}).get("content", {}).values()
        rows = [owner.found(content["schema"]["x-row"]) for content in contents if "x-row" in content["schema"]]
        if not rows:
            yield "it takes no table"
        for row in rows[:1]:
            yield from (f"its table has no column {name}" for name in link.sends if name not in row["properties"])
            yield from (f"its table wants the column {name}" for name in row.get("required", ()) if name not in link.sends)


def _answer(owner: _Owner, operation: Schema) -> Schema | None:
    """The schema of the main answer, or of a row of it."""
    contents = [content["schema"] for content in operation["responses"].get("200", {}).get("content", {}).values()]
    if not contents:
        return None
    row: Schema = contents[0].get("x-row", contents[0])
    return row


class _Reader:
    """A consumer's types, by their own schemas, against what the owner gives."""

    def __init__(self, owner: _Owner, consumer: Document) -> None:
        self._owner = owner
        self._consumer = _Owner({**consumer, "$defs": consumer["components"]["schemas"]})

    def faults(self, wanted: Schema, given: Schema, path: str) -> Iterator[str]:
        """What in `given` could not be read as `wanted`."""
        forms = self._consumer.forms(wanted)
        for offered in self._owner.forms(given):
            names = _kinds(offered)
            fitting = [form for form in forms if not _kinds(form) or names <= _kinds(form)]
            if names and not fitting:
                has = " or ".join(sorted({name for form in forms for name in _kinds(form)}))
                yield f"{path or 'the answer'} is {' or '.join(sorted(names))}, and is read as {has}"
            for form in fitting[:1]:
                yield from self._inside(form, offered, path)

    def _inside(self, wanted: Schema, given: Schema, path: str) -> Iterator[str]:
        yield from _bound_faults(wanted, given, path)
        if "items" in wanted and "items" in given:
            yield from self.faults(wanted["items"], given["items"], f"{path}[]")
        for name, inner in wanted.get("properties", {}).items():
            below = f"{path}.{name}" if path else name
            if name not in given.get("properties", {}):
                yield f"{below} is not in the answer"
                continue
            if name in wanted.get("required", ()) and name not in given.get("required", ()):
                yield f"{below} may be missing from the answer"
            yield from self.faults(inner, given["properties"][name], below)


def _bound_faults(wanted: Schema, given: Schema, path: str) -> Iterator[str]:
    for name, stricter in LIMITS:
        if name in wanted and (name not in given or (wanted[name] - given[name]) * stricter > 0):
            yield f"{path} has {name} {given.get(name, 'unbounded')}, and is read with {wanted[name]}"
    if "enum" in wanted and set(given.get("enum", ("anything",))) - set(wanted["enum"]):
        yield f"{path} may be {sorted(set(given.get('enum', ('anything',))) - set(wanted['enum']))}, which is not known"


def _kinds(schema: Schema) -> set[str]:
    """The JSON types of a schema; none said is none known."""
    if "const" in schema or "enum" in schema:
        values = [schema["const"]] if "const" in schema else schema["enum"]
        return {"string" if isinstance(value, str) else "integer" for value in values}
    return {schema["type"]} if "type" in schema else set()


def _template(path: str) -> str:
    return path.replace("<int:", "{").replace(">", "}")

"""The gateway's document as the union of what it forwards and what it does itself.

What it forwards is described by its owners: `forwarded.json` holds their operations and schemas, frozen by `make openapi`; a test
compares it with them. So the document is whole while a service is down, and the gateway imports no service.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from importlib.resources import files
from typing import Any, Final

import msgspec

from gateway.clients import UPSTREAMS, Rule
from shared.openapi.problems import reference

Document = dict[str, Any]
FROZEN: Final = "forwarded.json"
ALSO: Final = {"teams": ("MemberBody",)}
"""Schemas of theirs that only operations of ours name."""

OURS: Final = (429, 502, 503, 504)
"""What any forwarded operation may answer besides what its owner does: too often; the service is broken, away, or slow."""


def frozen() -> Document:
    """By service: the `paths` and `schemas` of the operations that are forwarded, as their owner documents them."""
    found: Document = msgspec.json.decode(files("gateway").joinpath(FROZEN).read_bytes())
    return found


def freeze(documents: Mapping[str, Document]) -> Document:
    """The same, taken from whole documents by service. KeyError for an operation that its owner does not have."""
    return {service: _used(documents[service], rules, ALSO.get(service, ())) for service, rules in UPSTREAMS.items()}


def add_forwarded(document: Document) -> Document:
    """The gateway's own document, with the forwarded operations in it."""
    schemas = document["components"]["schemas"]
    for service, described in frozen().items():
        for name, schema in described["schemas"].items():
            if schemas.setdefault(name, schema) != schema:
                raise ValueError(f"two schemas have the name {name}")
        for rule in UPSTREAMS[service]:
            if rule.public:
                path, method = _template(rule), rule.method.lower()
                ours = document["paths"].setdefault(path, {})
                theirs = _forwarded(service, described["paths"][path][method])
                ours[method] = _with_detour(theirs, ours[method], rule.detour, document) if rule.detour else theirs
    document["paths"] = dict(sorted(document["paths"].items()))
    return document


def _used(document: Document, rules: tuple[Rule, ...], also: tuple[str, ...]) -> Document:
    paths: Document = {}
    for rule in rules:
        if not rule.public:
            continue
        described = document["paths"][_template(rule)][rule.method.lower()]
        if described["operationId"] != rule.name:
            raise KeyError(f"{rule.method} {rule.path} is {described['operationId']}, not {rule.name}")
        paths.setdefault(_template(rule), {})[rule.method.lower()] = described
    schemas: Document = {}
    waiting = [*also, *sorted(_named(paths))]
    for name in waiting:  # grows while it is walked
        if name not in schemas:
            schemas[name] = document["components"]["schemas"][name]
            waiting += sorted(_named(schemas[name]))
    return {"paths": paths, "schemas": dict(sorted(schemas.items()))}


def _named(part: Any) -> set[str]:
    """The schemas that something refers to."""
    return {name.rpartition("/")[2] for name in _references(part) if name.startswith("#/components/schemas/")}


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for inner in part.values():
            yield from _references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _references(inner)


def _template(rule: Rule) -> str:
    """`/v1/things/{thing_id}`."""
    return rule.path.replace("<int:", "{").replace(">", "}")


def _forwarded(service: str, described: Document) -> Document:
    """An owner's operation as the gateway answers it: a caller whom the service does not know is the gateway's own fault."""
    responses = {
        **described["responses"],
        **{str(status): reference(status) for status in OURS if str(status) not in described["responses"]},
    }
    return {**described, "tags": [service], "responses": dict(sorted(responses.items())), "x-upstream": service}


def _with_detour(theirs: Document, ours: Document, detour: str, document: Document) -> Document:
    """One operation out of two on the same path: theirs, and ours when the query has the parameter `detour`."""
    merged = deepcopy(theirs)
    known = {one.get("name", one.get("$ref")) for one in merged["parameters"]}
    merged["parameters"] += [
        {**one, "required": False} if one.get("name") == detour else one
        for one in ours["parameters"]
        if one.get("name", one.get("$ref")) not in known
    ]
    for status, response in ours["responses"].items():
        merged["responses"].setdefault(status, response)
    answer, other = merged["responses"]["200"], ours["responses"]["200"]
    for name, described in other["headers"].items():
        if name not in answer["headers"]:
            header = document["components"]["headers"][described["$ref"].rpartition("/")[2]] if "$ref" in described else described
            given = {"with": [detour], **header.get("x-given", {})}
            answer["headers"][name] = {**header, "required": False, "x-given": given}
    for media_type, content in other["content"].items():
        mine = answer["content"][media_type]
        alternatives = mine["schema"].get("anyOf", [mine["schema"]])
        mine["schema"] = {"anyOf": [*alternatives, {**content["schema"], "x-only-with": detour}]}
        if "examples" in content:
            mine["examples"] = {**mine.get("examples", {}), detour: content["examples"]["example"]}
    merged["description"] = f"{theirs['description']}\n\nWith `{detour}`: {ours['description']}"
    merged["responses"] = dict(sorted(merged["responses"].items()))
    return {**merged, "x-detour": {detour: ours["operationId"]}}

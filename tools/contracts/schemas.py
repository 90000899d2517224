"""Two schemas compared, the way their values travel: what is sent must still be taken, what is answered must still be understood."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

Way = Literal["request", "answer"]
Schema = Mapping[str, Any]

LOWEST: Final = ("minimum", "minLength", "minItems", "exclusiveMinimum")
HIGHEST: Final = ("maximum", "maxLength", "maxItems", "exclusiveMaximum")


@dataclass(frozen=True)
class Change:
    """What differs at one place: `path` is like items[].username, '' for the whole."""

    path: str
    words: str
    breaking: bool


@dataclass(frozen=True)
class Documents:
    """The two documents that references are looked up in."""

    old: Mapping[str, Any]
    new: Mapping[str, Any]


def find(document: Mapping[str, Any], part: Any) -> Any:
    """What a reference stands for."""
    while isinstance(part, Mapping) and "$ref" in part:
        target: Any = document
        for name in part["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        part = target
    return part


class Comparison:
    """Compares schemas of two documents for one way; a pair that refers to itself is looked into once."""

    def __init__(self, documents: Documents, way: Way) -> None:
        self._documents = documents
        self._way = way
        self._open: set[tuple[int, int]] = set()

    def changes(self, old: Schema, new: Schema, path: str = "") -> Iterator[Change]:
        """What changed between two schemas and below them."""
        yield from self._variants(variants(self._documents.old, old), variants(self._documents.new, new), path)

    def _variants(self, old: dict[str, Schema], new: dict[str, Schema], path: str) -> Iterator[Change]:
        request = self._way == "request"
        for kind in sorted(old.keys() - new.keys()):
            yield Change(path, f"can be {_named(kind)} no more", breaking=request or " with " in kind)
        for kind in sorted(new.keys() - old.keys()):
            yield Change(path, f"can be {_named(kind)} now", breaking=not request)
        for kind in sorted(old.keys() & new.keys()):
            before, after = old[kind], new[kind]
            yield from self._enumerations(before, after, path)
            yield from self._bounds(before, after, path)
            if kind.startswith("object"):
                pair = (_identity(before), _identity(after))
                if pair not in self._open:  # a tree's node holds nodes
                    self._open.add(pair)
                    yield from self._objects(before, after, path)
                    self._open.discard(pair)
            if kind.startswith("array") and "items" in before and "items" in after:
                yield from self.changes(before["items"], after["items"], f"{path}[]")

    def _enumerations(self, old: Schema, new: Schema, path: str) -> Iterator[Change]:
        before, after = old.get("enum"), new.get("enum")
        if before == after:
            return
        if before is None or after is None:
            closed = before is None
            words = "is one of a few values now" if closed else "is no longer one of a few values"
            yield Change(path, words, breaking=closed == (self._way == "request"))
            return
        for value in sorted(set(map(str, before)) - set(map(str, after))):
            yield Change(path, f"is never {value} any more", breaking=self._way == "request")
        for value in sorted(set(map(str, after)) - set(map(str, before))):
            yield Change(path, f"may be {value} now", breaking=self._way == "answer")

    def _bounds(self, old: Schema, new: Schema, path: str) -> Iterator[Change]:
        for name in (*LOWEST, *HIGHEST):
            before, after = old.get(name), new.get(name)
            if before == after:
                continue
            tighter = before is None or (after is not None and (after > before if name in LOWEST else after < before))
            said = "none" if after is None else after
            yield Change(
                path, f"has {name} {said}, was {'none' if before is None else before}", breaking=tighter and self._way == "request"
            )
        for name in ("pattern", "format"):
            if old.get(name) != new.get(name):
                words = f"has another {name}" if name in old and name in new else f"has {'a' if name in new else 'no'} {name} now"
                yield Change(path, words, breaking=(name in new and self._way == "request") or (name in old and self._way == "answer"))

    def _objects(self, old: Schema, new: Schema, path: str) -> Iterator[Change]:
        before, after = old.get("properties", {}), new.get("properties", {})
        demanded, demands = set(old.get("required", ())), set(new.get("required", ()))
        request = self._way == "request"
        for name in sorted(before.keys() - after.keys()):
            refused = not request or new.get("additionalProperties") is False
            yield Change(_join(path, name), "is gone", breaking=refused)
        for name in sorted(after.keys() - before.keys()):
            needed = request and name in demands
            yield Change(_join(path, name), "is new and must be sent" if needed else "is new", breaking=needed)
        for name in sorted(before.keys() & after.keys()):
            if name in demands - demanded:
                yield Change(_join(path, name), "must be sent now" if request else "is always there now", breaking=request)
            if name in demanded - demands:
                yield Change(_join(path, name), "need not be sent any more" if request else "may be missing now", breaking=not request)
            yield from self.changes(before[name], after[name], _join(path, name))


def variants(document: Mapping[str, Any], schema: Schema) -> dict[str, Schema]:
    """What a value may be: by type, and for an alternative that only some query brings about, with its name. Enumerations are merged."""
    found: dict[str, Schema] = {}
    for part in _alternatives(document, schema):
        for kind in _types(part):
            mark = part.get("x-only-with")
            key = f"{kind} with {mark}" if mark else kind
            known = found.get(key)
            if known is None:
                found[key] = part
            elif "enum" in known and "enum" in part:
                found[key] = {**known, "enum": [*known["enum"], *part["enum"]]}
            elif kind == "object":
                found[f"{key} {part.get('title', len(found))}"] = part
    return found


def _alternatives(document: Mapping[str, Any], schema: Schema) -> Iterator[Schema]:
    resolved = {**find(document, schema), **{name: value for name, value in schema.items() if name.startswith("x-")}}
    for word in ("anyOf", "oneOf"):
        if word in resolved:
            for part in resolved[word]:
                yield from _alternatives(document, part)
            return
    if "allOf" in resolved:
        yield _merged(document, resolved)
        return
    yield resolved


def _merged(document: Mapping[str, Any], schema: Schema) -> Schema:
    whole: dict[str, Any] = {"type": "object", "properties": {}, "required": [], "allOf": schema["allOf"]}
    for part in (*schema["allOf"], {name: value for name, value in schema.items() if name != "allOf"}):
        found = find(document, part)
        whole["properties"] |= found.get("properties", {})
        whole["required"] += found.get("required", [])
    return whole


def _identity(schema: Schema) -> int:
    """The same for every look at the same place of a document."""
    return id(schema.get("allOf", schema.get("properties")))


def _types(part: Schema) -> list[str]:
    kind = part.get("type")
    if kind is not None:
        return [kind] if isinstance(kind, str) else list(kind)
    names: dict[type, str] = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
    return list(dict.fromkeys(names[type(value)] for value in part.get("enum", ()))) or ["anything"]


def _named(kind: str) -> str:
    return {"null": "null", "anything": "anything"}.get(kind, f"{'an' if kind[0] in 'aeio' else 'a'} {kind}")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name

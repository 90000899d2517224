"""What differs between two OpenAPI documents of a service, in words, and what of it breaks whoever keeps to the older one."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from tools.contracts.schemas import Change, Comparison, Documents, Way, find

Document = Mapping[str, Any]
Part = Literal["operation", "parameter", "request", "status", "header", "field"]
METHODS: Final = ("get", "put", "post", "delete", "patch")
POLICIES: Final = ("public", "feed", "read", "write", "admin")
YAML: Final = "application/yaml"


@dataclass(frozen=True)
class Difference:
    """One difference. `name` is the parameter, header, field path or media type that it is about; `status` that of the answer."""

    operation: str
    part: Part
    words: str
    breaking: bool
    name: str = ""
    status: str = ""

    def __str__(self) -> str:
        return f"{self.operation}: {self.words}"


def operations(document: Document) -> dict[tuple[str, str], Mapping[str, Any]]:
    """The operations of a document by method and path; what a path's parameters are called does not matter."""
    return {
        (method, re.sub(r"\{[^}]*\}", "{}", path)): methods[method]
        for path, methods in document["paths"].items()
        for method in METHODS
        if method in methods
    }


def compare(old: Document, new: Document) -> list[Difference]:
    """All differences, those that break first."""
    documents = Documents(old, new)
    before, after = operations(old), operations(new)
    found = []
    for place in sorted(before.keys() | after.keys()):
        method, path = place
        if place not in after:
            name = before[place]["operationId"]
            found.append(Difference(name, "operation", f"{method.upper()} {path} is gone", breaking=True))
        elif place not in before:
            found.append(Difference(after[place]["operationId"], "operation", f"{method.upper()} {path} is new", breaking=False))
        else:
            found += _Operation(documents, before[place], after[place]).differences()
    return sorted(dict.fromkeys(found), key=lambda one: not one.breaking)


class _Operation:
    """One operation in both documents."""

    def __init__(self, documents: Documents, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        self._documents = documents
        self._old = old
        self._new = new
        self._name = old["operationId"]

    def differences(self) -> Iterator[Difference]:
        yield from self._itself()
        yield from self._parameters()
        yield from self._body()
        yield from self._answers()

    def _say(self, part: Part, words: str, breaking: bool, name: str = "", status: str = "") -> Difference:
        return Difference(self._name, part, words, breaking, name, status)

    def _itself(self) -> Iterator[Difference]:
        if self._new["operationId"] != self._name:
            yield self._say("operation", f"is called {self._new['operationId']} now", breaking=True)
        before, after = self._old.get("x-policy", "public"), self._new.get("x-policy", "public")
        if before != after:
            stricter = POLICIES.index(after) > POLICIES.index(before)
            yield self._say("operation", f"may be called by {after}, was {before}", breaking=stricter)
        if self._new.get("deprecated", False) != self._old.get("deprecated", False):
            word = "is deprecated now" if self._new.get("deprecated") else "is no longer deprecated"
            yield self._say("operation", word, breaking=False)

    def _parameters(self) -> Iterator[Difference]:
        before, after = _parameters(self._documents.old, self._old), _parameters(self._documents.new, self._new)
        for where, name in sorted(before.keys() - after.keys()):
            yield self._say("parameter", f"the {where} parameter {name} is gone", breaking=True, name=name)
        for key in sorted(after.keys() - before.keys()):
            needed = after[key].get("required", False)
            words = f"the {key[0]} parameter {key[1]} is new{' and must be sent' if needed else ''}"
            yield self._say("parameter", words, breaking=needed, name=key[1])
        for key in sorted(before.keys() & after.keys()):
            words = f"the {key[0]} parameter {key[1]}"
            if after[key].get("required", False) and not before[key].get("required", False):
                yield self._say("parameter", f"{words} must be sent now", breaking=True, name=key[1])
            for change in self._schemas(before[key]["schema"], after[key]["schema"], "request"):
                yield self._say("parameter", f"{words} {change.words}", change.breaking, name=key[1])

    def _body(self) -> Iterator[Difference]:
        before, after = self._old.get("requestBody"), self._new.get("requestBody")
        if before is None or after is None:
            if before is not after:
                words = "takes no body any more" if after is None else "takes a body now"
                yield self._say("request", words, breaking=after is None or after.get("required", False))
            return
        if after.get("required", False) and not before.get("required", False):
            yield self._say("request", "its body must be sent now", breaking=True)
        yield from self._contents(before["content"], after["content"], "request", "")

    def _answers(self) -> Iterator[Difference]:
        before, after = self._old["responses"], self._new["responses"]
        for status in sorted(before.keys() - after.keys()):
            yield self._say("status", f"never answers {status} any more", breaking=True, status=status)
        for status in sorted(after.keys() - before.keys()):
            yield self._say("status", f"may answer {status} now", breaking=False, status=status)
        for status in sorted(before.keys() & after.keys()):
            old, new = find(self._documents.old, before[status]), find(self._documents.new, after[status])
            yield from self._headers(old.get("headers", {}), new.get("headers", {}), status)
            yield from self._contents(old.get("content", {}), new.get("content", {}), "answer", status)

    def _headers(self, before: Mapping[str, Any], after: Mapping[str, Any], status: str) -> Iterator[Difference]:
        for name in sorted(before.keys() - after.keys()):
            yield self._say("header", f"the answer {status} has no {name} any more", breaking=True, name=name, status=status)
        for name in sorted(after.keys() - before.keys()):
            yield self._say("header", f"the answer {status} has a new {name}", breaking=False, name=name, status=status)
        for name in sorted(before.keys() & after.keys()):
            old, new = find(self._documents.old, before[name]), find(self._documents.new, after[name])
            if old.get("required", False) and not new.get("required", False):
                yield self._say("header", f"the answer {status} may lack {name} now", breaking=True, name=name, status=status)
            for change in self._schemas(old["schema"], new["schema"], "answer"):
                yield self._say("header", f"{name} of the answer {status} {change.words}", change.breaking, name=name, status=status)

    def _contents(self, before: Mapping[str, Any], after: Mapping[str, Any], way: Way, status: str) -> Iterator[Difference]:
        part: Part = "request" if way == "request" else "field"
        which = "the body" if way == "request" else f"the answer {status}"
        for media_type in sorted(before.keys() - after.keys()):
            yield self._say(part, f"{which} is never {media_type} any more", breaking=True, name=media_type, status=status)
        for media_type in sorted(after.keys() - before.keys()):
            yield self._say(part, f"{which} may be {media_type} too", breaking=False, name=media_type, status=status)
        for media_type in sorted((before.keys() & after.keys()) - {YAML}):
            old, new = before[media_type]["schema"], after[media_type]["schema"]
            for change in (*self._schemas(old, new, way), *self._rows(old, new, way)):
                words = f"{change.path or 'it'} of {which} {change.words}"
                yield self._say(part, words, change.breaking, name=change.path, status=status)

    def _rows(self, old: Any, new: Any, way: Way) -> Iterator[Change]:
        """The columns of a table."""
        before, after = find(self._documents.old, old).get("x-row"), find(self._documents.new, new).get("x-row")
        if before is not None and after is not None:
            yield from self._schemas(before, after, way)

    def _schemas(self, old: Any, new: Any, way: Way) -> Iterator[Change]:
        return Comparison(self._documents, way).changes(old, new)


def _parameters(document: Document, operation: Mapping[str, Any]) -> dict[tuple[str, str], Any]:
    """By place and name; those of the path by their order, because callers give them so."""
    found = [find(document, one) for one in operation.get("parameters", ())]
    path = [one for one in found if one["in"] == "path"]
    return {(one["in"], str(path.index(one)) if one["in"] == "path" else one["name"]): one for one in found}

"""What an OpenAPI document says of requests: for each operation one that is right, and for each bound one that breaks it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.openapi.contract import Document
from tools.contracts.exercise.asking import Case, body_of


@dataclass(frozen=True)
class Operation:
    """One operation of a document, with the request of its example."""

    name: str
    method: str
    template: str
    described: Mapping[str, Any]
    document: Document = field(repr=False)

    @property
    def statuses(self) -> set[int]:
        """The documented ones."""
        return {int(status) for status in self.described["responses"]}

    @property
    def is_public(self) -> bool:
        return bool(self.described["x-policy"] == "public")

    def found(self, part: Any) -> Any:
        """What a reference stands for."""
        while isinstance(part, Mapping) and "$ref" in part:
            target: Any = self.document
            for name in part["$ref"].removeprefix("#/").split("/"):
                target = target[name]
            part = target
        return part

    def parameters(self, place: str) -> dict[str, Any]:
        """By name, those of `path`, `query` or `header`."""
        every = [self.found(one) for one in self.described.get("parameters", ())]
        return {one["name"]: one for one in every if one["in"] == place}

    def bodies(self) -> dict[str, Any]:
        """Schema and example by media type."""
        return dict(self.described.get("requestBody", {}).get("content", {}))

    def example(self) -> tuple[str, Any]:
        """The media type and the value of the body's example."""
        for media_type, content in self.bodies().items():
            for example in content.get("examples", {}).values():
                return media_type, example["value"]
        return next(iter(self.bodies()), ""), None

    def path(self, **values: Any) -> str:
        """The path, with the example's ids where none are given."""
        given = {name: one.get("example", 1) for name, one in self.parameters("path").items()} | values
        return self.template.format(**given)

    def case(self, status: int, about: str, **fields: Any) -> Case:
        """The example's request, but for these fields; conditions are left out of it."""
        media_type, value = self.example()
        headers = {"content-type": media_type} if value is not None else {}
        headers |= dict(fields.pop("headers", {}))
        query = {name: one["example"] for name, one in self.parameters("query").items() if "example" in one}
        given = {"path": self.path(), "query": query, "body": body_of(value), **fields}
        return Case(operation=self.name, status=status, about=about, method=self.method, headers=headers, **given)


def operations(document: Document) -> Iterator[Operation]:
    """All of a document."""
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            yield Operation(described["operationId"], method.upper(), path, described, document)

"""What a service's document says beyond its operations."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from shared.errors import Problem
from shared.openapi.problems import ProblemDocument

Document = dict[str, Any]
BEARER: Final[Document] = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "A short-lived assertion of who asks, signed by the gateway (or by another service) for this service alone.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A request and its answer, both true: tests send it, in the order of the service's examples, to a service that was empty at first.

    `body` is what is sent: plain values as JSON, text as the operation's first body type (or `media_type`). `answer` is what came back:
    plain values for JSON, text for a table, None for no content or a problem; an `excerpt` when more came back than is shown.
    """

    path: Mapping[str, int] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    media_type: str | None = None
    status: int = 200
    answer: Any = None
    answer_type: str | None = None
    excerpt: bool = False


def _unchanged(document: Document) -> Document:
    return document


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """`examples` by operation; `schemes` are the ways to say who asks, any one of them, `other_schemes` those that single
    operations name as `credentials`; `structs` are schemas that only a reference names.

    `problem` is the schema of problems, `kinds` those that a status may be where it is not shared's own, `everywhere` the statuses of every
    operation, `guarded` those of operations that are not public, `counted` those of operations whose requests are counted (`Limit`).
    `complete` gets the finished document and may add to it.
    """

    examples: Mapping[str, Example] = field(default_factory=dict)
    schemes: Mapping[str, Document] = field(default_factory=lambda: {"assertion": BEARER})
    other_schemes: Mapping[str, Document] = field(default_factory=dict)
    kinds: Mapping[int, Sequence[type[Problem]]] = field(default_factory=dict)
    problem: type[ProblemDocument] = ProblemDocument
    everywhere: Sequence[int] = (400, 403, 500, 504)
    guarded: Sequence[int] = (401, 403, 503)
    counted: Sequence[int] = ()
    structs: Sequence[type[Any]] = ()
    complete: Callable[[Document], Document] = _unchanged

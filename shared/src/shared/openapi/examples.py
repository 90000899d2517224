"""Examples in an operation: of its parameters, its body and its main answer."""

from typing import Any, Final

from shared.openapi.contract import Example
from shared.openapi.headers import REQUEST, Described

NAME: Final = "example"
COMMON: Final = {
    "home": Example(
        answer={
            "service": "…",
            "version": "0.1.0",
            "description": "…",
            "endpoints": [
                {
                    "method": "GET",
                    "path": "/livez",
                    "operation": "livez",
                    "summary": "Whether the process answers at all.",
                    "allow": "public",
                }
            ],
        },
        excerpt=True,
    ),
    "openapi": Example(answer={"openapi": "3.1.0", "info": {}, "paths": {}, "components": {}, "security": []}, excerpt=True),
    "read_docs": Example(answer="<!doctype html>", excerpt=True),
    "livez": Example(answer={"status": "alive"}),
    "readyz": Example(answer={"status": "ready", "checks": {"database": "ok"}}),
    "scrape": Example(answer="# HELP process_virtual_memory_bytes Virtual memory size in bytes.\n", excerpt=True),
}
"""Of the operations that every service has."""


def add_examples(operation: Described, example: Example, path: str) -> None:
    """Put an example into an operation's parts. ValueError for one that does not fit the operation."""
    values: dict[str, Any] = {**example.path, **example.query}
    for parameter in operation["parameters"]:
        if "$ref" not in parameter and parameter["name"] in values:
            parameter["example"] = values.pop(parameter["name"])
    if values or any(name not in REQUEST and name not in ("Accept", "Authorization") for name in example.headers):
        raise ValueError(f"{path}: the example has parameters that the operation has not: {sorted(values)}")
    if example.body is not None:
        contents = operation["requestBody"]["content"]
        contents[example.media_type or next(iter(contents))]["examples"] = {NAME: {"value": example.body}}
    answer = operation["responses"][str(example.status)]
    if example.answer is not None:
        contents = answer["content"]
        contents[example.answer_type or next(iter(contents))]["examples"] = {NAME: {"value": example.answer}}

"""Whether the examples of an OpenAPI document are true: each is sent, and its answer compared."""

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from shared.openapi import Example

Document = Mapping[str, Any]
Send = Callable[[str, str, bytes | None, dict[str, str]], Awaitable[tuple[int, bytes]]]
"""Sends method, target, body and headers; gives status and body."""

_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z")
_EACH_TIME: Final = ("actor", "actor_name", "requestid", "request_id", "digest", "hash", "cursor", "secret")


def operations(document: Document) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """(path, method, operation) of everything in a document."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def target(path: str, example: Example) -> str:
    """The path and query of an example's request."""
    query = {name: _in_query(value) for name, value in example.query.items()}
    return path.format(**example.path) + (f"?{urlencode(query, safe=',')}" if query else "")


async def fault_of(send: Send, document: Document, name: str, example: Example) -> str | None:
    """What differs between an example of the operation `name` and the truth."""
    path, method, operation = next(
        found for found in operations(document) if name == found[2]["operationId"] or name in found[2].get("x-detour", {}).values()
    )
    headers, body = dict(example.headers), None
    if example.body is not None:
        headers["Content-Type"] = example.media_type or next(iter(operation["requestBody"]["content"]))
        body = example.body.encode() if isinstance(example.body, str) else msgspec.json.encode(example.body)
    status, content = await send(method.upper(), target(path, example), body, headers)
    if status != example.status:
        return f"{name}: the answer is {status}, not {example.status}: {content[:500]!r}"
    if not _is_alike(content, example):
        return f"{name}: the answer is\n{content[:4000].decode()}\nnot\n{example.answer}"
    return None


def _is_alike(content: bytes, example: Example) -> bool:
    if example.answer is None:
        return content == b"" or example.status >= 400
    if isinstance(example.answer, str):
        text = content.decode()
        return text.startswith(example.answer) if example.excerpt else text == example.answer
    given = msgspec.json.decode(content)
    if example.excerpt:
        return bool(given.keys() == example.answer.keys())
    return bool(_without_chance(given) == _without_chance(example.answer))


def _without_chance(value: Any, name: str = "") -> Any:
    """A document without what differs each time: times, cursors, ids of events, digests, who and which request."""
    if isinstance(value, dict):
        return {key: _without_chance(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_chance(inner) for inner in value]
    if isinstance(value, str) and (_TIME.fullmatch(value) or name in (*_EACH_TIME, "next", "id")):
        return "…"
    return value


def _in_query(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)

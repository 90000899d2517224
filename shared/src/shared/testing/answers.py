"""Every answer compared with the OpenAPI document of the service that gave it.

`async with checked(app): …` compares all that the app answers meanwhile, whoever asks, and fails at the end with what the document does
not say: a status, a media type, a field, a header, a value beyond its bounds. `Rules(document).faults(answer)` compares one answer.
"""

import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
import yaml
from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]  # it has no types

from shared.tabular import CSV, NDJSON
from shared.testing.shapes import Schema, as_asked, undocumented

BARE: Final = frozenset({204, 304})
LONGEST: Final = 2 * 1024 * 1024
"""Bytes of a body that is looked into."""
ROWS: Final = 200
"""Rows of a table that are."""


@dataclass
class Seen:
    """A request and its answer; header names in lower case. `whole` is False for a body that was not kept, or that broke off."""

    method: str
    path: str
    query: str = ""
    request: Mapping[str, str] = field(default_factory=dict)
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    whole: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path}{'?' if self.query else ''}{self.query[:200]} -> {self.status}"

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0]

    @cached_property
    def given(self) -> set[str]:
        """The query parameters."""
        return {name for name, value in parse_qsl(self.query, keep_blank_values=True) if value != "false"}

    @cached_property
    def value(self) -> Any:
        """The document that was answered, None for what is none."""
        if not self.whole or not self.body or self.media_type == NDJSON:
            return None
        if self.media_type.endswith("json"):
            return msgspec.json.decode(self.body)
        return yaml.load(self.body, _Loader) if self.media_type.endswith("yaml") else None  # noqa: S506 - a safe loader with fewer types


Skips = Callable[[Mapping[str, Any], Seen], bool]


class _Loader(yaml.SafeLoader):
    """Dates stay text, as in JSON."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class Rules:
    """What a document says of answers.

    With `additions`, an answer may have more in it: a later service's, compared with an older document. `skips` tells of an operation and
    an answer that it is not to be compared.
    """

    def __init__(self, document: Mapping[str, Any], *, additions: bool = False, skips: Skips = lambda operation, seen: False) -> None:
        self.document = document
        self._additions = additions
        self._skips = skips
        self._paths = [(_pattern(path, methods), methods) for path, methods in document["paths"].items()]
        self._paths.sort(key=lambda pair: "(" in pair[0].pattern)  # a literal segment goes before a parameter
        self._validators: dict[str, Draft202012Validator] = {}

    def operation(self, seen: Seen) -> Mapping[str, Any] | None:
        """The operation that was asked; None for an unknown path or method."""
        methods = next((methods for pattern, methods in self._paths if pattern.fullmatch(seen.path)), None)
        method = "get" if seen.method == "HEAD" else seen.method.lower()
        found: Mapping[str, Any] | None = None if methods is None else methods.get(method)
        return found

    def faults(self, seen: Seen) -> list[str]:
        """What is in the answer and not in the document, or the other way round."""
        if seen.status == 0 or seen.method == "OPTIONS":
            return []
        operation = self.operation(seen)
        if operation is not None and self._skips(operation, seen):
            return []
        response = self._response(seen, operation)
        if response is None:
            return [f"{seen}: the status is not in the document"]
        found = [*self._header_faults(seen, response)]
        if seen.method != "HEAD":
            found += self._body_faults(seen, response)
        return [f"{seen}: {fault}" for fault in found]

    def _response(self, seen: Seen, operation: Mapping[str, Any] | None) -> Any:
        if operation is None:
            name = {400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 405: "MethodNotAllowed"}.get(seen.status)
            return None if name is None else self.document["components"]["responses"][name]
        return self.found(operation["responses"].get(str(seen.status)))

    def found(self, part: Any) -> Any:
        """What a reference stands for."""
        while isinstance(part, Mapping) and "$ref" in part:
            target: Any = self.document
            for name in part["$ref"].removeprefix("#/").split("/"):
                target = target[name]
            part = target
        return part

    def _header_faults(self, seen: Seen, response: Mapping[str, Any]) -> Iterator[str]:
        for name, reference in response.get("headers", {}).items():
            header = self.found(reference)
            value = seen.headers.get(name.lower())
            if value is None:
                if header["required"] or (header.get("x-given") and _is_given(header["x-given"], seen)):
                    yield f"there is no {name}"
                continue
            if header.get("x-given") and seen.whole and seen.body and not _is_given(header["x-given"], seen):
                yield f"{name} is there, and should not be"
            schema = header["schema"]
            if schema.get("type") == "integer":
                if not value.isdigit() or not schema["minimum"] <= int(value) <= schema["maximum"]:
                    yield f"{name}: {value} is not within its bounds"
            else:
                yield from (f"{name}: {error.message[:300]}" for error in Draft202012Validator(schema).iter_errors(value))
        for name in NAMED - {name.lower() for name in response.get("headers", {})}:
            if name in seen.headers and not self._additions:
                yield f"{name} is there, and not in the document"

    def _body_faults(self, seen: Seen, response: Mapping[str, Any]) -> Iterator[str]:
        contents = response.get("content", {})
        if seen.status in BARE or not contents:
            if seen.body or contents:
                yield "there is a body where none belongs, or none where one does"
            return
        if seen.media_type not in contents:
            yield f"the media type {seen.media_type or 'that is missing'} is not in the document"
            return
        schema = contents[seen.media_type]["schema"]
        if "x-row" in schema and seen.whole:
            yield from self._row_faults(self.found(schema["x-row"]), seen)
        if seen.value is not None:
            yield from self._value_faults(as_asked(schema, seen.given, self.found), seen.value)

    def _row_faults(self, row: Schema, seen: Seen) -> Iterator[str]:
        """A table's columns, and some rows of one that is NDJSON."""
        lines = seen.body.splitlines()[:ROWS]
        columns = lines[0].decode().split(",") if seen.media_type == CSV else list(row["properties"])
        if columns != list(row["properties"]) and not (self._additions and set(columns) >= set(row["properties"])):
            yield f"the columns {lines[0].decode()} are not those of the document"
        if seen.media_type == NDJSON:
            for line in lines:
                yield from self._value_faults(row, msgspec.json.decode(line))

    def _value_faults(self, schema: Schema, value: Any) -> Iterator[str]:
        key = msgspec.json.encode(schema).decode()
        if key not in self._validators:
            root = (
                {**schema, "components": self.document["components"]}
                if "$ref" not in schema
                else {"allOf": [schema], "components": self.document["components"]}
            )
            self._validators[key] = Draft202012Validator(root, format_checker=FORMATS)
        errors = sorted(self._validators[key].iter_errors(value), key=lambda error: error.json_path)
        yield from (f"{error.json_path}: {error.message[:300]}" for error in errors[:5])
        if not errors and not self._additions:
            yield from (f"{path} is not in the document" for path in undocumented(schema, value, self.found))


FORMATS: Final = FormatChecker(("date", "date-time"))
NAMED: Final = frozenset(
    {
        "accept",
        "allow",
        "content-disposition",
        "deprecation",
        "etag",
        "idempotency-replayed",
        "link",
        "location",
        "preference-applied",
        "ratelimit",
        "ratelimit-policy",
        "retry-after",
        "set-cookie",
        "sunset",
        "vary",
        "www-authenticate",
        "x-gateway-complete",
    }
)
"""Headers that mean something to a client, so that they are to be documented where they come."""


def _is_given(conditions: Mapping[str, Any], seen: Seen) -> bool:
    """Whether a header belongs to this answer, by its `x-given`."""
    if seen.media_type not in conditions.get("media", [seen.media_type]) or seen.given & set(conditions.get("without", ())):
        return False
    if "with" in conditions and not seen.given & set(conditions["with"]):
        return False
    if "member" in conditions and (not isinstance(seen.value, dict) or seen.value.get(conditions["member"]) is None):
        return False
    name, value = conditions.get("request", ("", ""))
    return not name or value in seen.request.get(name.lower(), "")


def _pattern(path: str, methods: Mapping[str, Any]) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{[^}]+\\\}", "([0-9]+)", re.escape(path)))


class Watched:
    """An ASGI layer that takes down what goes by."""

    def __init__(self, app: Any, seen: list[Seen]) -> None:
        self._app = app
        self._seen = seen

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        seen = Seen(scope["method"], scope["path"], scope["query_string"].decode("latin-1"), request)
        self._seen.append(seen)
        chunks: list[bytes] = []

        def note(message: Any) -> Any:
            if message["type"] == "http.response.start":
                seen.status = message["status"]
                seen.headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in message["headers"]}
            elif message["type"] == "http.response.body":
                if sum(map(len, chunks)) < LONGEST:
                    chunks.append(bytes(message.get("body", b"")))
                if not message.get("more_body"):
                    seen.body = b"".join(chunks)
                    seen.whole = len(seen.body) < LONGEST
            return send(message)

        await self._app(scope, receive, note)


@asynccontextmanager
async def checked(app: Any, rules: Rules | None = None) -> AsyncIterator[list[Seen]]:
    """All that `app` (of `create_service`) answers meanwhile, compared with its document at the end: AssertionError with the faults."""
    seen: list[Seen] = []
    before, app.asgi_app = app.asgi_app, Watched(app.asgi_app, seen)
    try:
        yield seen
    finally:
        app.asgi_app = before
    rules = rules or Rules(app.extensions["openapi"]())
    faults = dict.fromkeys(fault for one in seen for fault in rules.faults(one))
    assert not faults, "\n".join(["the document and the answers differ:", *faults])

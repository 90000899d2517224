"""All faults of a value by field, found only after the fast conversion of the whole has failed.

A type may say in words what it expects: `Meta(pattern=..., extra={"expected": "lower-case letters"})`. That stands in a message where the
pattern would; and a value that is none of some names is told the names.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from shared.errors import FieldError

MAX_FAULTS: Final = 50
AT_PATH: Final = re.compile(r" - at `(?:key in )?\$([^`]*)`$")


def field_errors(values: Any, kind: Any, error: msgspec.ValidationError) -> list[FieldError]:
    """Every wrong, missing or unknown field of `values` (at most 50), never empty; `error` is what the whole failed with."""
    if not isinstance(values, Mapping) or not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        return [_placed("", error)]
    found = list(_struct_faults(values, kind))[:MAX_FAULTS]
    return found or [_placed("", error)]


def _struct_faults(values: Mapping[str, Any], kind: type[msgspec.Struct]) -> Iterator[FieldError]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for name in values:
        if name not in fields:
            yield FieldError(str(name)[:100], "unknown field")
    for name, field in fields.items():
        if name in values:
            try:
                msgspec.convert(values[name], field.type)
            except msgspec.ValidationError as error:
                yield _placed(name, error, field.type)
        elif field.required:
            yield FieldError(name, "required")


def _placed(name: str, error: msgspec.ValidationError, kind: Any = None) -> FieldError:
    """The message without its path; the path joined to the field's name by dots."""
    message = str(error)
    if match := AT_PATH.search(message):
        path = re.sub(r"\[(\d+|\.\.\.)\]", r".\1", match[1]).strip(".")
        name = ".".join(part for part in (name, path) if part)
        message = message[: match.start()]
    return FieldError(name, in_words(message, kind))


def in_words(message: str, kind: Any) -> str:
    """What msgspec says of a value of that type, without its patterns and with what may stand there instead."""
    pattern, names = _expected(kind) if kind is not None else ("", ())
    if pattern and message.startswith("Expected `str` matching regex"):
        return f"Expected {pattern}"
    if names and message.startswith("Invalid enum value"):
        return f"{message}; it is one of {', '.join(names)}"
    if message.endswith("got `null`"):
        return "must not be empty"
    if message == "Invalid RFC3339 encoded date":
        return "Expected a date like 2026-11-22"
    if message in ("Invalid RFC3339 encoded datetime", "Expected `datetime` with a timezone component"):
        return "Expected a time with its zone, like 2026-11-22T07:49:09Z"
    if message.startswith("Expected `bool`"):
        return "Expected true or false"
    return message


@lru_cache(maxsize=512)
def _expected(kind: Any) -> tuple[str, tuple[str, ...]]:
    """What a type says about its pattern, and the names that it takes."""
    waiting = [msgspec.inspect.type_info(kind)]
    pattern = ""
    names: tuple[str, ...] = ()
    for part in waiting:  # grows while it is walked
        if isinstance(part, msgspec.inspect.Metadata):
            pattern = (part.extra or {}).get("expected", pattern)
            waiting.append(part.type)
        elif isinstance(part, msgspec.inspect.UnionType):
            waiting += part.types
        elif isinstance(part, msgspec.inspect.ListType):
            waiting.append(part.item_type)
        elif isinstance(part, msgspec.inspect.LiteralType):
            names += tuple(str(value) for value in part.values if value != "")
        elif isinstance(part, msgspec.inspect.IntType):
            names += ("a whole number",)
    return pattern, names

"""All faults of a value by field, found only after the fast conversion of the whole has failed."""

import re
from collections.abc import Iterator, Mapping
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
                yield _placed(name, error)
        elif field.required:
            yield FieldError(name, "required")


def _placed(name: str, error: msgspec.ValidationError) -> FieldError:
    """The message without its path; the path joined to the field's name by dots."""
    message = str(error)
    if match := AT_PATH.search(message):
        path = re.sub(r"\[(\d+|\.\.\.)\]", r".\1", match[1]).strip(".")
        name = ".".join(part for part in (name, path) if part)
        message = message[: match.start()]
    return FieldError(name, message)

"""Query strings, read strictly: every fault is a 400 that names the parameter."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, TypeVar, cast
from urllib.parse import unquote_to_bytes

import msgspec

from shared.errors import BadRequest, FieldError
from shared.faults import field_errors

Query = TypeVar("Query", bound=msgspec.Struct)
MAX_LIST: Final = 100
MAX_INTEGER: Final = 2**63 - 1
MAX_PARAMETERS: Final = 64
INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,18})", re.ASCII)
BROKEN_PERCENT: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
BOOLEANS: Final = {"true": True, "false": False}
Read = Callable[[str], Any]


class NoParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The query of an operation that takes none: any parameter is unknown."""


class Lenient(msgspec.Struct, frozen=True):
    """Of this derives a query that somebody else writes, by a standard that has us pass over parameters that we do not know."""


class QueryFault(ValueError):
    """A value that can't be what its parameter needs; the message is for the caller."""


def read_query(kind: type[Query], query_string: bytes) -> Query:
    """The query as a `kind`; BadRequest naming every unknown, repeated or wrong parameter; unknown ones are passed over in a `Lenient`.

    Values: whole numbers in ASCII digits, `true` and `false`, text in UTF-8, lists as `1,2,3` (at most 100).
    """
    if not query_string:
        return cast("Query", _empty(kind))
    readers = _readers(kind)
    values: dict[str, Any] = {}
    errors: list[FieldError] = []
    for name, text in _pairs(query_string):
        reader = readers.get(name)
        if reader is None:
            if not issubclass(kind, Lenient):
                errors.append(FieldError(name[:100], "unknown parameter"))
        elif name in values:
            errors.append(FieldError(name, "given more than once"))
        else:
            try:
                values[name] = reader(text)
            except QueryFault as fault:
                values[name] = None
                errors.append(FieldError(name, str(fault)))
    if errors:
        raise _bad_query(errors)
    return _convert(kind, values)


def _convert(kind: type[Query], values: dict[str, Any]) -> Query:
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise _bad_query(field_errors(values, kind, error)) from error


@lru_cache(maxsize=256)
def _empty(kind: type[Query]) -> Query:
    return _convert(kind, {})


def _bad_query(errors: list[FieldError]) -> BadRequest:
    return BadRequest("query: " + "; ".join(f"{error.field}: {error.message}" for error in errors[:5]), errors=errors)


def _pairs(query_string: bytes) -> list[tuple[str, str]]:
    if BROKEN_PERCENT.search(query_string):
        raise BadRequest("query: a % without two hexadecimal digits")
    try:
        fields = query_string.replace(b"+", b" ").split(b"&")
        if len(fields) > MAX_PARAMETERS:
            raise BadRequest(f"query: more than {MAX_PARAMETERS} parameters")
        pairs = [_pair(field) for field in fields if field]
    except UnicodeDecodeError as error:
        raise BadRequest("query: not valid UTF-8") from error
    for name, text in pairs:
        if "\0" in text or "\0" in name:
            raise BadRequest(
                "query: NUL characters are not taken", errors=[FieldError(name.replace("\0", "")[:100], "has a NUL character")]
            )
    return pairs


def _pair(field: bytes) -> tuple[str, str]:
    name, _, value = field.partition(b"=")
    return unquote_to_bytes(name).decode(), unquote_to_bytes(value).decode()


def _read_integer(text: str) -> int:
    if not INTEGER.fullmatch(text):
        raise QueryFault("not a whole number")
    if abs(number := int(text)) > MAX_INTEGER:
        raise QueryFault("a number too large")
    return number


def _read_boolean(text: str) -> bool:
    if text not in BOOLEANS:
        raise QueryFault("neither true nor false")
    return BOOLEANS[text]


def _list_of(read: Read) -> Read:
    def read_list(text: str) -> list[Any]:
        if text.count(",") >= MAX_LIST:
            raise QueryFault(f"more than {MAX_LIST} values")
        return [read(part) for part in text.split(",")]

    return read_list


@lru_cache(maxsize=256)
def _readers(kind: type[msgspec.Struct]) -> dict[str, Read]:
    """One reader for each parameter, by the type of its field."""
    info = msgspec.inspect.type_info(kind)
    assert isinstance(info, msgspec.inspect.StructType)
    return {field.encode_name: _reader(field.type) for field in info.fields}


def _reader(kind: msgspec.inspect.Type) -> Read:
    if isinstance(kind, msgspec.inspect.Metadata):
        return _reader(kind.type)
    if isinstance(kind, msgspec.inspect.UnionType):
        kinds = [_reader(part) for part in kind.types if not isinstance(part, msgspec.inspect.NoneType)]
        return _either(kinds) if len(kinds) > 1 else kinds[0]
    if isinstance(kind, msgspec.inspect.IntType):
        return _read_integer
    if isinstance(kind, msgspec.inspect.LiteralType) and all(isinstance(value, int) for value in kind.values):
        return _read_integer
    if isinstance(kind, msgspec.inspect.BoolType):
        return _read_boolean
    if isinstance(kind, msgspec.inspect.ListType | msgspec.inspect.VarTupleType | msgspec.inspect.SetType):
        return _list_of(_reader(kind.item_type))
    return str


def _either(kinds: list[Read]) -> Read:
    """The first that can read it; text comes last (`int | Literal["none"]`)."""
    ordered = sorted(kinds, key=lambda read: read is str)

    def read_either(text: str) -> Any:
        for read in ordered[:-1]:
            try:
                return read(text)
            except QueryFault:
                continue
        return ordered[-1](text)

    return read_either

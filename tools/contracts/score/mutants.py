"""Faults that a provider may come to have, as changes of what it answers to an operation with a status."""

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import msgspec

from shared.tabular import CSV
from shared.testing.answers import Seen
from tools.contracts.exercise.documents import Operation
from tools.contracts.exercise.stage import Answered

Change = Callable[[Seen], Seen | None]
Path = tuple[str, ...]
EACH: Final = "[]"
OPEN: Final = frozenset({"openapi"})
"""Operations whose answer is open below its first members: the document of the service itself."""
SERVERS: Final = frozenset({"content-length", "date", "server", "connection", "transfer-encoding"})
"""Headers that the server writes, whatever the provider does."""


@dataclass(frozen=True)
class Mutant:
    """`change` gives the answer as the faulty provider would give it, None where the fault does not show."""

    kind: str
    operation: str
    status: int
    where: str
    change: Change
    about: str | None = None

    def __str__(self) -> str:
        return f"{self.kind}: {self.operation} {self.status} {self.where}"


def mutants(operation: Operation, status: int, answered: Sequence[Answered], accepted: Seen | None) -> Iterator[Mutant]:
    """All faults of one operation with one status. `accepted` is an answer to a request that the operation takes."""
    name = operation.name
    paths = dict.fromkeys(path for one in answered for path in _paths(_json(one.seen)) if name not in OPEN or len(path) == 1)
    for path in paths:
        where = ".".join(path)
        yield Mutant("drop", name, status, where, _in_json(path, _drop))
        yield Mutant("rename", name, status, where, _in_json(path, _rename))
        yield Mutant("retype", name, status, where, _in_json(path, _retype))
    for column in dict.fromkeys(column for one in answered for column in _columns(one.seen)):
        yield Mutant("drop", name, status, f"column {column}", _in_head(column, None))
        yield Mutant("rename", name, status, f"column {column}", _in_head(column, f"{column}_2"))
    for other in sorted(operation.statuses - {status}):
        yield Mutant("status", name, status, f"becomes {other}", partial(replace, status=other))
    for header in dict.fromkeys(header for one in answered for header in one.seen.headers):
        if header not in SERVERS:
            yield Mutant("header", name, status, header, _without(header))
    if accepted is not None and status >= 400:
        for one in answered:
            yield Mutant("loosen", name, status, one.case.about, _as(accepted), one.case.about)


def harmless(operation: Operation, status: int) -> Iterator[Mutant]:
    """Changes that break nobody."""
    yield Mutant("new field", operation.name, status, "everywhere", lambda seen: _rewritten(seen, _grown))
    yield Mutant("other order", operation.name, status, "everywhere", lambda seen: _rewritten(seen, _turned))


def _json(seen: Seen) -> Any:
    return msgspec.json.decode(seen.body) if seen.body and seen.media_type.endswith("json") and seen.whole else None


def _paths(value: Any, path: Path = ()) -> Iterator[Path]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield (*path, name)
            yield from _paths(inner, (*path, name))
    elif isinstance(value, list):
        for inner in value:
            yield from _paths(inner, (*path, EACH))


def _rewritten(seen: Seen, rewrite: Callable[[Any], Any]) -> Seen | None:
    value = _json(seen)
    if value is None:
        return None
    return replace(seen, body=msgspec.json.encode(rewrite(value)))


def _in_json(path: Path, change: Callable[[dict[str, Any], str], None]) -> Change:
    def mutate(seen: Seen) -> Seen | None:
        value = deepcopy(_json(seen))
        holders = [one for one in _holders(value, path[:-1]) if isinstance(one, dict) and path[-1] in one]
        for holder in holders:
            change(holder, path[-1])
        return replace(seen, body=msgspec.json.encode(value)) if holders else None

    return mutate


def _holders(value: Any, path: Path) -> Iterator[Any]:
    if not path:
        yield value
    elif path[0] == EACH and isinstance(value, list):
        for inner in value:
            yield from _holders(inner, path[1:])
    elif isinstance(value, dict) and path[0] in value:
        yield from _holders(value[path[0]], path[1:])


def _drop(holder: dict[str, Any], name: str) -> None:
    del holder[name]


def _rename(holder: dict[str, Any], name: str) -> None:
    holder[f"{name}_2"] = holder.pop(name)


def _retype(holder: dict[str, Any], name: str) -> None:
    """What was a text is a number, and everything else is wrapped."""
    holder[name] = 7 if isinstance(holder[name], str) else {"value": holder[name]}


def _columns(seen: Seen) -> list[str]:
    return seen.body.split(b"\r\n")[0].decode().split(",") if seen.media_type == CSV else []


def _in_head(column: str, name: str | None) -> Change:
    def mutate(seen: Seen) -> Seen | None:
        columns = _columns(seen)
        if column not in columns:
            return None
        head = [name if one == column else one for one in columns if one != column or name is not None]
        rest = seen.body.partition(b"\r\n")[2]
        return replace(seen, body=",".join(map(str, head)).encode() + b"\r\n" + rest)

    return mutate


def _without(header: str) -> Change:
    def mutate(seen: Seen) -> Seen | None:
        if header not in seen.headers:
            return None
        return replace(seen, headers={name: value for name, value in seen.headers.items() if name != header})

    return mutate


def _as(accepted: Seen) -> Change:
    return lambda seen: replace(seen, status=accepted.status, headers=dict(accepted.headers), body=accepted.body)


def _grown(value: Any) -> Any:
    if isinstance(value, dict):
        return {**{name: _grown(inner) for name, inner in value.items()}, "brand_new": "value"}
    return [_grown(inner) for inner in value] if isinstance(value, list) else value


def _turned(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _turned(value[name]) for name in reversed(value)}
    return [_turned(inner) for inner in value] if isinstance(value, list) else value

"""What readers of both table formats share: rows, refusals, the columns that are known, and bounded records."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from shared.errors import FieldError, Invalid

MAX_RECORD: Final = 64 * 1024  # bytes of one record


class Row(NamedTuple):
    """One record: the line on which it begins, from 1, and its values."""

    line: int
    values: Mapping[str, str | None]


class Refusal(NamedTuple):
    """A line that was not taken; `field` is empty when it is about the whole line."""

    line: int
    field: str
    message: str


class Found:
    """What a reader has read and nobody has taken yet."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.refusals: list[Refusal] = []


@dataclasses.dataclass(frozen=True, slots=True)
class Columns:
    """The columns that a table may have and those that it must."""

    known: tuple[str, ...]
    required: frozenset[str]

    def check_header(self, header: list[str]) -> None:
        """Raise Invalid naming every unknown, repeated and missing column."""
        errors = [FieldError(name[:100], "unknown column") for name in dict.fromkeys(header) if name not in self.known]
        errors += [FieldError(name[:100], "given more than once") for name in dict.fromkeys(header) if header.count(name) > 1]
        errors += self.missing(header)
        if errors:
            detail = "; ".join(f"{error.field or '(no name)'}: {error.message}" for error in errors[:10])
            raise Invalid(f"the header does not fit: {detail}", errors=errors[:50])

    def missing(self, names: Iterable[str]) -> list[FieldError]:
        return [FieldError(name, "missing column") for name in sorted(self.required.difference(names))]

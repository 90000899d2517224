"""NDJSON: one JSON object a line, each read as strictly as a body."""

from collections.abc import Iterable, Sequence
from typing import Any

from shared.bodies import parse_json
from shared.errors import BadRequest
from shared.json import encode
from shared.lines import MAX_RECORD, Columns, Found, Refusal, Row

TOO_LONG = f"has more than {MAX_RECORD} bytes"


class NdjsonReader:
    """Takes bytes as they come, puts rows and refusals into `found`; between calls it holds one unfinished line at most."""

    def __init__(self, columns: Columns, found: Found) -> None:
        self._found = found
        self._known = frozenset(columns.known)
        self._columns = columns
        self._rest = b""
        self._line = 0
        self._skipping = False

    def feed(self, chunk: bytes) -> None:
        """Read what has become complete with this chunk."""
        *lines, rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            if self._skipping:
                self._skipping = False  # the end of a line that was refused
                continue
            self._read(line)
        self._rest = b"" if self._skipping else rest
        if len(self._rest) > MAX_RECORD:
            self._line += 1
            self._refuse("", TOO_LONG)
            self._rest, self._skipping = b"", True

    def finish(self) -> None:
        """Read what is left when there are no more bytes."""
        if not self._skipping:
            self._read(self._rest)

    def _read(self, line: bytes) -> None:
        self._line += 1
        if len(line) > MAX_RECORD:
            self._refuse("", TOO_LONG)
        elif line.strip():
            self._row(line)

    def _row(self, line: bytes) -> None:
        try:
            value = parse_json(line)
        except BadRequest as error:
            self._refuse("", error.detail.removeprefix("the body "))
            return
        if not isinstance(value, dict):
            self._refuse("", "not an object")
            return
        faults = [Refusal(self._line, name[:100], "unknown column") for name in value if name not in self._known]
        faults += [Refusal(self._line, error.field, error.message) for error in self._columns.missing(value)]
        values: dict[str, str | None] = {}
        for name, item in value.items():
            try:
                values[name] = _text(item)
            except TypeError:
                faults.append(Refusal(self._line, name[:100], "neither text, a whole number, true, false nor null"))
        if faults:
            self._found.refusals.append(faults[0])
        else:
            self._found.rows.append(Row(self._line, values))

    def _refuse(self, field: str, message: str) -> None:
        self._found.refusals.append(Refusal(self._line, field, message))


def _text(value: Any) -> str | None:
    """The text that the same cell would have in CSV; None when it is empty."""
    if isinstance(value, str):
        return value or None
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    raise TypeError


def ndjson_bytes(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """Rows as objects, one a line."""
    return b"".join(encode(dict(zip(columns, row, strict=True))) + b"\n" for row in rows)

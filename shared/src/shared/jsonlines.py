"""NDJSON: one JSON object a line, each read as strictly as a body."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from shared.bodies import parse_json
from shared.errors import BadRequest
from shared.json import encode
from shared.lines import MAX_RECORD, Columns, Refusal, Row


class NdjsonReader:
    """Takes bytes as they come, gives rows and refusals; between calls it holds one unfinished line at most."""

    def __init__(self, columns: Columns) -> None:
        self._known = frozenset(columns.known)
        self._columns = columns
        self._rest = b""
        self._line = 0
        self._skipping = False

    def feed(self, chunk: bytes) -> Iterator[Row | Refusal]:
        """What has become complete with this chunk."""
        *lines, rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            if self._skipping:
                self._skipping = False  # the end of a line that was refused
                continue
            yield from self._read(line)
        self._rest = b"" if self._skipping else rest
        if len(self._rest) > MAX_RECORD:
            self._line += 1
            yield self._too_long()
            self._rest, self._skipping = b"", True

    def finish(self) -> Iterator[Row | Refusal]:
        """What is left when there are no more bytes."""
        if not self._skipping:
            yield from self._read(self._rest)

    def _read(self, line: bytes) -> Iterator[Row | Refusal]:
        self._line += 1
        if len(line) > MAX_RECORD:
            yield self._too_long()
        elif line.strip():
            yield from self._row(line)

    def _row(self, line: bytes) -> Iterator[Row | Refusal]:
        try:
            value = parse_json(line)
        except BadRequest as error:
            yield Refusal(self._line, "", error.detail.replace("the body", "the line", 1))
            return
        if not isinstance(value, dict):
            yield Refusal(self._line, "", "not an object")
            return
        faults = [Refusal(self._line, name[:100], "unknown column") for name in value if name not in self._known]
        faults += [Refusal(self._line, error.field, error.message) for error in self._columns.missing(value)]
        values: dict[str, str | None] = {}
        for name, item in value.items():
            try:
                values[name] = _text(item)
            except TypeError:
                faults.append(Refusal(self._line, name[:100], "neither text, a whole number, true, false nor null"))
        yield faults[0] if faults else Row(self._line, values)

    def _too_long(self) -> Refusal:
        return Refusal(self._line, "", f"the line has more than {MAX_RECORD} bytes")


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

"""CSV as RFC 4180 has it: quoted cells may hold commas, doubled quotes and line breaks; lines end in LF or CRLF; a BOM is accepted."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from shared.errors import Invalid
from shared.lines import MAX_RECORD, Columns, Refusal, Row

TOO_LONG = f"has more than {MAX_RECORD} bytes"
BOM = b"\xef\xbb\xbf"


class CsvReader:
    """Takes bytes as they come, gives rows and refusals; between calls it holds one unfinished record at most."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._header: list[str] | None = None
        self._rest = b""
        self._line = 1  # of the first byte of _rest
        self._skipping = False  # inside a line that is too long, up to its end

    def feed(self, chunk: bytes) -> Iterator[Row | Refusal]:
        """What has become complete with this chunk."""
        data = self._rest + chunk
        if self._skipping:
            data = self._skip(data)
        cut = _end_of_records(data)
        self._rest = data[cut:]
        if cut:
            yield from self._records(data[:cut])
        while len(self._rest) > MAX_RECORD:
            yield from self._give_up()

    def finish(self) -> Iterator[Row | Refusal]:
        """What is left when there are no more bytes."""
        rest, self._rest = self._rest, b""
        while rest:
            cut = _end_of_records(rest) or len(rest)
            if rest.count(b'"', 0, cut) % 2 and (first := rest.find(b"\n") + 1) and first < len(rest):
                yield Refusal(self._line, "", "a quote is never closed")
                self._line += 1
                rest = rest[first:]
                continue
            yield from self._records(rest[:cut])
            rest = rest[cut:]
        if self._header is None:
            raise Invalid("the table is empty; its first line must name the columns")

    def _give_up(self) -> Iterator[Row | Refusal]:
        """The record that begins the rest is too long: refuse its first line, go on with the next."""
        if self._header is None:
            raise Invalid("the header is too long")
        yield Refusal(self._line, "", f"{TOO_LONG}, or a quote is never closed")
        self._skipping = True
        data = self._skip(self._rest)
        cut = _end_of_records(data)
        self._rest = data[cut:]
        if cut:
            yield from self._records(data[:cut])

    def _skip(self, data: bytes) -> bytes:
        end = data.find(b"\n")
        if end < 0:
            return b""
        self._skipping = False
        self._line += 1
        return data[end + 1 :]

    def _records(self, data: bytes) -> Iterator[Row | Refusal]:
        """Complete records. What is not UTF-8 or has a NUL is looked at line by line, so that only its line is lost."""
        if self._header is None and data.startswith(BOM):
            data = data[len(BOM) :]
        if b"\0" not in data and (len(data) <= MAX_RECORD or max(map(len, data.split(b"\n"))) <= MAX_RECORD):
            try:
                text = data.decode()
            except UnicodeDecodeError:
                pass
            else:
                yield from self._parse(text)
                return
        for record in _single_records(data):
            try:
                if b"\0" in record:
                    raise ValueError("has a NUL character")
                if len(record) > MAX_RECORD:
                    raise ValueError(TOO_LONG)
                text = record.decode()
            except ValueError as error:
                yield self._refuse_bytes(error)
                self._line += record.count(b"\n")
            else:
                yield from self._parse(text)

    def _refuse_bytes(self, error: ValueError) -> Refusal:
        message = "not valid UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        if self._header is None:
            raise Invalid(f"the header is {message}" if isinstance(error, UnicodeDecodeError) else f"the header {message}")
        return Refusal(self._line, "", message)

    def _parse(self, text: str) -> Iterator[Row | Refusal]:
        reader = csv.reader(io.StringIO(text, newline="\n"), strict=True)
        first = self._line
        before = 0
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                break
            except csv.Error as error:
                if self._header is None:
                    raise Invalid(f"the header is not CSV: {error}") from error
                yield Refusal(first + before, "", f"not CSV: {error}")
            else:
                if reader.line_num > before + 1 and sum(map(len, cells)) > MAX_RECORD:
                    yield Refusal(first + before, "", TOO_LONG)
                elif cells:
                    row = self._row(first + before, cells)
                    if row is not None:
                        yield row
            before = reader.line_num
        self._line = first + text.count("\n")

    def _row(self, line: int, cells: list[str]) -> Row | Refusal | None:
        header = self._header
        if header is None:
            self._header = [cell.strip() for cell in cells]
            self._columns.check_header(self._header)
            return None
        if len(cells) != len(header):
            return Refusal(line, "", f"has {len(cells)} cells, and the header {len(header)}")
        values: dict[str, str | None] = dict(zip(header, cells, strict=True))
        if "" in cells:
            values.update((name, None) for name, cell in values.items() if not cell)
        return Row(line, values)


def _end_of_records(data: bytes) -> int:
    """How far the records in `data` are complete: after the last line break that is outside quotes; 0 when there is none.

    Outside means after an even number of quotes, since a quote within a quoted cell is doubled.
    """
    end = data.rfind(b"\n") + 1
    quotes = data.count(b'"', 0, end)
    while end and quotes % 2:
        before = data.rfind(b"\n", 0, end - 1) + 1
        quotes -= data.count(b'"', before, end)
        end = before
    return end


def _single_records(data: bytes) -> Iterator[bytes]:
    """The records one by one: physical lines, joined while a quote is open."""
    held = b""
    for line in data.splitlines(keepends=True) if b"\r" not in data else io.BytesIO(data):
        held += line
        if held.count(b'"') % 2 == 0:
            yield held
            held = b""
    if held:
        yield held


def csv_bytes(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """Rows in CSV with CRLF; numbers in digits, booleans as true and false, None empty."""
    out = io.StringIO(newline="")
    csv.writer(out).writerows([[_cell(value) for value in row] for row in rows])
    return out.getvalue().encode()


def _cell(value: Any) -> Any:
    return value if not isinstance(value, bool) else "true" if value else "false"

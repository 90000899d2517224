"""CSV as RFC 4180 has it: quoted cells may hold commas, doubled quotes and line breaks; lines end in LF or CRLF; a BOM is accepted."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from shared.errors import Invalid
from shared.lines import MAX_RECORD, Columns, Found, Refusal, Row

TOO_LONG: Final = f"has more than {MAX_RECORD} bytes, or a quote that is never closed"
NEVER_CLOSED: Final = "has a quote that is never closed"
MISPLACED: Final = "is not CSV: a cell with quotes must be quoted itself, and they doubled"
STRAY_CR: Final = "is not CSV: it has a CR without LF"
BOM: Final = b"\xef\xbb\xbf"
_CELL: Final = rb'(?:"[^"]*(?:""[^"]*)*"|[^",\r\n]*)'
_RECORDS: Final = re.compile(rb"(?:%b(?:,%b)*\r*\n){0,500}" % (_CELL, _CELL))
"""Complete records, some at a time: a match keeps what it might go back to."""
_BEGUN: Final = re.compile(rb'(?:%b,)*(?:"[^"]*(?:""[^"]*)*"?|[^",\r\n]*)\r*' % _CELL)
"""As much as can be a record without its LF."""


class CsvReader:
    """Takes bytes as they come, puts rows and refusals into `found`; between calls it holds one unfinished record at most.

    A record that can't be one, or has no end within `MAX_RECORD` bytes, refuses its first line, and the next line is read as if nothing had
    been. So what is said of a record depends on those bytes alone, never on what comes after.
    """

    def __init__(self, columns: Columns, found: Found) -> None:
        self._columns = columns
        self._found = found
        self._header: list[str] | None = None
        self._rest = b""
        self._line = 1  # of the first byte of _rest
        self._begun = False
        self._skipping = False  # inside a line that was refused, up to its end

    def feed(self, chunk: bytes) -> None:
        """Read what has become complete with this chunk. Raises Invalid for a header that does not fit."""
        self._take(self._rest + chunk, last=False)

    def finish(self) -> None:
        """Read what is left when there are no more bytes."""
        self._take(self._rest + b"\n", last=True)
        if self._header is None:
            raise Invalid("the table is empty; its first line must name the columns")

    def _take(self, data: bytes, *, last: bool) -> None:
        if self._line == 1 and not self._begun and len(data) >= len(BOM):
            self._begun = True
            data = data.removeprefix(BOM)
        at = self._end_of_line(data, 0) if self._skipping else 0
        while True:
            end = _end_of_records(data, at)
            if end > at:
                self._records(data[at:end])
            fault = _fault(data, end, last=last)
            if fault is None:
                break
            self._refuse(self._line, fault)
            at = self._end_of_line(data, end)
        self._rest = data[end:]

    def _end_of_line(self, data: bytes, at: int) -> int:
        """Where the next line begins. One that is not all here is skipped when its rest comes."""
        end = data.find(b"\n", at) + 1
        self._skipping = not end
        self._line += bool(end)
        return end or len(data)

    def _records(self, data: bytes) -> None:
        """Complete records. Where something is not UTF-8 or a NUL, they are taken one by one, so that only that one is lost."""
        for records in [data] if _illegible(data) is None else _single_records(data):
            if fault := _illegible(records):
                self._refuse(self._line, fault)
                self._line += records.count(b"\n")
            else:
                self._parse(records.decode())

    def _parse(self, text: str) -> None:
        reader = csv.reader(io.StringIO(text, newline="\n"), strict=True)
        before = self._read_header(reader) if self._header is None else 0
        self._rows(reader, before)
        self._line += text.count("\n")

    def _rows(self, reader: Any, before: int) -> None:
        header = self._header or []
        width = len(header)
        first = self._line
        add = self._found.rows.append
        for cells in reader:
            line, now = first + before, reader.line_num
            if len(cells) == width and now == before + 1:
                if "" in cells:
                    add(Row(line, {name: cell or None for name, cell in zip(header, cells, strict=True)}))
                else:
                    add(Row(line, dict(zip(header, cells, strict=True))))
            elif cells:
                self._unusual(line, cells, header)
            before = now

    def _unusual(self, line: int, cells: list[str], header: list[str]) -> None:
        """A record over several lines, or one that does not fit."""
        if len(cells) != len(header):
            self._refuse(line, f"has {len(cells)} cells, and the header {len(header)}")
        else:
            self._found.rows.append(Row(line, {name: cell or None for name, cell in zip(header, cells, strict=True)}))

    def _read_header(self, reader: Any) -> int:
        cells = next((cells for cells in reader if cells), None)
        if cells is not None:
            header = [cell.strip() for cell in cells]
            self._columns.check_header(header)
            self._header = header
        return int(reader.line_num)

    def _refuse(self, line: int, message: str) -> None:
        if self._header is None:
            raise Invalid(f"the header {message}")
        self._found.refusals.append(Refusal(line, "", message))


def _illegible(records: bytes) -> str | None:
    """Why records can't be text, if so."""
    if b"\0" in records:
        return "has a NUL character"
    try:
        records.decode()
    except UnicodeDecodeError:
        return "is not valid UTF-8"
    return None


def _end_of_records(data: bytes, at: int) -> int:
    """How far the records from `at` on are complete, each of at most `MAX_RECORD` bytes."""
    while (end := _matched(_RECORDS, data, at)) > at:
        at = end
    return at


def _single_records(data: bytes) -> Iterator[bytes]:
    """Complete records one by one."""
    at = 0
    while at < len(data):
        end = _matched(_BEGUN, data, at) + 1
        yield data[at:end]
        at = end


def _fault(data: bytes, at: int, *, last: bool) -> str | None:
    """Why no record begins at `at`, where no complete one does; None while one can, when there is more."""
    end = _matched(_BEGUN, data, at)
    if end - at == MAX_RECORD:
        return TOO_LONG
    if end == len(data) and not (last and end > at):
        return None
    if b"\n" in data[at:end]:
        return NEVER_CLOSED
    return STRAY_CR if data[at:end].endswith(b"\r") else MISPLACED


def _matched(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    """Where the match ends that is found at `at`, of at most `MAX_RECORD` bytes; both patterns match nothing, at least."""
    found = pattern.match(data, at, at + MAX_RECORD)
    return found.end() if found else at


def csv_bytes(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """Rows in CSV with CRLF; numbers in digits, booleans as true and false, None empty."""
    out = io.StringIO(newline="")
    csv.writer(out).writerows([[_cell(value) for value in row] for row in rows])
    return out.getvalue().encode()


def _cell(value: Any) -> Any:
    return value if not isinstance(value, bool) else "true" if value else "false"

"""CSV as RFC 4180 has it: quoted cells may hold commas, doubled quotes and line breaks; lines end in LF or CRLF; a BOM is accepted."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from shared.errors import Invalid
from shared.lines import MAX_RECORD, Columns, Found, Refusal, Row

TOO_LONG = f"has more than {MAX_RECORD} bytes"
BOM = b"\xef\xbb\xbf"


class CsvReader:
    """Takes bytes as they come, puts rows and refusals into `found`; between calls it holds one unfinished record at most."""

    def __init__(self, columns: Columns, found: Found) -> None:
        self._columns = columns
        self._found = found
        self._header: list[str] | None = None
        self._rest = b""
        self._line = 1  # of the first byte of _rest
        self._skipping = False  # inside a line that is too long, up to its end

    def feed(self, chunk: bytes) -> None:
        """Read what has become complete with this chunk. Raises Invalid for a header that does not fit."""
        data = self._rest + chunk
        self._take(self._skip(data) if self._skipping else data)
        while len(self._rest) > MAX_RECORD:
            self._give_up()

    def finish(self) -> None:
        """Read what is left when there are no more bytes."""
        rest, self._rest = self._rest, b""
        while rest:
            cut = _end_of_records(rest) or len(rest)
            first = rest.find(b"\n") + 1
            if rest.count(b'"', 0, cut) % 2 and 0 < first < len(rest):
                self._refuse(self._line, "a quote is never closed")
                self._line += 1
                rest = rest[first:]
                continue
            self._records(rest[:cut])
            rest = rest[cut:]
        if self._header is None:
            raise Invalid("the table is empty; its first line must name the columns")

    def _take(self, data: bytes) -> None:
        cut = _end_of_records(data)
        self._rest = data[cut:]
        if cut:
            self._records(data[:cut])

    def _give_up(self) -> None:
        """The record that begins the rest is too long: refuse its first line, go on with the next."""
        if self._header is None:
            raise Invalid("the header is too long")
        self._refuse(self._line, f"{TOO_LONG}, or a quote is never closed")
        self._skipping = True
        self._take(self._skip(self._rest))

    def _skip(self, data: bytes) -> bytes:
        end = data.find(b"\n")
        if end < 0:
            return b""
        self._skipping = False
        self._line += 1
        return data[end + 1 :]

    def _records(self, data: bytes) -> None:
        """Complete records. Where something is not UTF-8, a NUL or too long, they are taken one by one, so that only that one is lost."""
        if self._header is None and data.startswith(BOM):
            data = data[len(BOM) :]
        if b"\0" not in data and (len(data) <= MAX_RECORD or max(map(len, data.split(b"\n"))) <= MAX_RECORD):
            try:
                text = data.decode()
            except UnicodeDecodeError:
                pass
            else:
                self._parse(text)
                return
        for record in _single_records(data):
            if fault := _fault(record):
                if self._header is None:
                    raise Invalid(f"the header {fault}")
                self._refuse(self._line, fault)
                self._line += record.count(b"\n")
            else:
                self._parse(record.decode())

    def _parse(self, text: str) -> None:
        reader = csv.reader(io.StringIO(text, newline="\n"), strict=True)
        first, before = self._line, 0
        if self._header is None:
            before = self._read_header(reader)
        while True:  # once, unless a line is refused by the csv module
            try:
                before = self._rows(reader, first, before)
                break
            except csv.Error as error:
                self._refuse(first + reader.line_num - 1, f"is not CSV: {error}")
                before = reader.line_num
        self._line = first + text.count("\n")

    def _rows(self, reader: Any, first: int, before: int) -> int:
        header = self._header or []
        width = len(header)
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
        return before

    def _unusual(self, line: int, cells: list[str], header: list[str]) -> None:
        """A record over several lines, or one that does not fit."""
        if len(cells) != len(header):
            self._refuse(line, f"has {len(cells)} cells, and the header {len(header)}")
        elif sum(map(len, cells)) > MAX_RECORD:
            self._refuse(line, TOO_LONG)
        else:
            self._found.rows.append(Row(line, {name: cell or None for name, cell in zip(header, cells, strict=True)}))

    def _read_header(self, reader: Any) -> int:
        try:
            cells = next((cells for cells in reader if cells), None)
        except csv.Error as error:
            raise Invalid(f"the header is not CSV: {error}") from error
        if cells is not None:
            header = [cell.strip() for cell in cells]
            self._columns.check_header(header)
            self._header = header
        return int(reader.line_num)

    def _refuse(self, line: int, message: str) -> None:
        self._found.refusals.append(Refusal(line, "", message))


def _fault(record: bytes) -> str | None:
    """Why a record can't be text, if so."""
    if b"\0" in record:
        return "has a NUL character"
    if len(record) > MAX_RECORD:
        return TOO_LONG
    try:
        record.decode()
    except UnicodeDecodeError:
        return "is not valid UTF-8"
    return None


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

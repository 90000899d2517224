"""Tables as streams: CSV (RFC 4180) and NDJSON, read in batches from an upload and written row by row.

A row is a mapping from column to text, or to None for an empty cell; a column that a row (NDJSON) or the file (CSV) does not
have is absent from the mapping. What is wrong with the header refuses the file (Invalid, naming the columns); what is wrong
with a line refuses that line and no other.
"""

import dataclasses
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterator, Sequence
from typing import Any, Final

from shared.csvlines import CsvReader, csv_bytes
from shared.errors import UnsupportedMedia
from shared.jsonlines import NdjsonReader, ndjson_bytes
from shared.lines import MAX_RECORD, Columns, Found, Refusal, Row

CSV: Final = "text/csv"
NDJSON: Final = "application/x-ndjson"
TABLE_TYPES: Final = (CSV, NDJSON)
BATCH: Final = 500


@dataclasses.dataclass(frozen=True, slots=True)
class Batch:
    """Some rows and refusals of a table, each in the order of their lines. Never empty of both."""

    rows: list[Row]
    refusals: list[Refusal]


async def read_rows(
    chunks: AsyncIterable[bytes],
    media_type: str,
    columns: Sequence[str],
    required: Sequence[str] = (),
    *,
    size: int = BATCH,
) -> AsyncGenerator[Batch, None]:
    """The table in batches of at most `size` rows.

    `columns` are the ones that may come, `required` those that must. Raises Invalid for a header that does not fit,
    UnsupportedMedia for another media type.
    """
    known = Columns(tuple(columns), frozenset(required))
    if media_type not in TABLE_TYPES:
        raise UnsupportedMedia(f"a table must be {' or '.join(TABLE_TYPES)}", headers={"Accept": ", ".join(TABLE_TYPES)})
    found = Found()
    reader = CsvReader(known, found) if media_type == CSV else NdjsonReader(known, found)
    async for chunk in _pieces(chunks):
        reader.feed(chunk)
        for batch in _batches(found, size, size):
            yield batch
    reader.finish()
    for batch in _batches(found, size, 1):
        yield batch


def _batches(found: Found, size: int, least: int) -> Iterator[Batch]:
    """Take batches of `size` while at least `least` rows or refusals are there."""
    while len(found.rows) >= least or len(found.refusals) >= least:
        yield Batch(found.rows[:size], found.refusals[:size])
        del found.rows[:size], found.refusals[:size]


async def _pieces(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Large chunks cut, small ones joined: so that the loop is never held for long, and little is done per chunk."""
    waiting: list[bytes] = []
    size = 0
    async for chunk in chunks:
        for start in range(0, len(chunk), MAX_RECORD):
            piece = chunk[start : start + MAX_RECORD]
            waiting.append(piece)
            size += len(piece)
            if size >= MAX_RECORD:
                yield b"".join(waiting)
                waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


class Writer:
    """Rows to bytes. `head()` comes first; then `rows(...)` for as many as wanted at once.

    CSV cells are written as they are, also those that a spreadsheet would run (`=…`): what goes out comes in again unchanged.
    """

    def __init__(self, media_type: str, columns: Sequence[str]) -> None:
        self.media_type = media_type
        self._columns = tuple(columns)
        self._encode = csv_bytes if media_type == CSV else ndjson_bytes

    @property
    def content_type(self) -> str:
        return "text/csv; charset=utf-8; header=present" if self.media_type == CSV else NDJSON

    def head(self) -> bytes:
        return self._encode(self._columns, [self._columns]) if self.media_type == CSV else b""

    def rows(self, rows: Sequence[Sequence[Any]]) -> bytes:
        """Rows as sequences of values in the columns' order; None is an empty cell (CSV) or null (NDJSON)."""
        return self._encode(self._columns, rows)

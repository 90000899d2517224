"""Tables that come in and go out whole: an upload becomes an import with a report, an export a streamed answer.

Without `atomic` each batch is kept as it is applied: a caller who goes away meanwhile loses the report, not the batches that were kept.
One who goes away while still sending changes nothing.
"""

import asyncio
import math
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from quart import Response, request
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from shared.bodies import UploadStream
from shared.context import database, exchange
from shared.errors import Invalid, NotAcceptable, Problem
from shared.faults import field_errors
from shared.imports import Apply, Spool, Spooled, apply_all
from shared.json import encode
from shared.lines import Refusal
from shared.media import JSON, PROBLEM_TYPES, wanted_form
from shared.openapi.problems import ProblemDocument
from shared.operations import READ, WRITE, Policy, Upload, View, operation
from shared.responses import stream
from shared.tabular import CSV, NDJSON, TABLE_TYPES, Writer, read_rows
from shared.timeline import AsOf

Pages = AsyncGenerator[Sequence[Sequence[Any]], None]
Values = dict[str, Any]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class ImportQuery(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How an import is meant."""

    atomic: Annotated[bool, Meta(description="All rows or none.")] = False
    dry_run: Annotated[bool, Meta(description="Only tell what would become of the rows.")] = False


TableFormat = Annotated[Literal["csv", "ndjson"], Meta(description="Without it, what Accept prefers; otherwise CSV.")]


class ExportQuery(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How an export is wanted."""

    format: TableFormat | None = None
    as_of: AsOf | None = None


class RefusedRow(msgspec.Struct):
    """A row that was not taken: where it begins, its first wrong field (empty: the whole row), and what is wrong."""

    line: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    field: Annotated[str, Meta(max_length=100)]
    message: Annotated[str, Meta(max_length=10_000)]


class ImportReport(msgspec.Struct):
    """What became of the rows: the first four add up to all of them."""

    created: Count
    updated: Count
    unchanged: Count
    refused: Count
    refusals: Annotated[list[RefusedRow], Meta(max_length=2**31)]


class ImportRefused(ProblemDocument, kw_only=True):
    """A table that was refused: whole, for its header; or, when it was to be `atomic`, for its rows: then with the report."""

    created: Count | msgspec.UnsetType = msgspec.UNSET
    updated: Count | msgspec.UnsetType = msgspec.UNSET
    unchanged: Count | msgspec.UnsetType = msgspec.UNSET
    refused: Count | msgspec.UnsetType = msgspec.UNSET
    refusals: Annotated[list[RefusedRow], Meta(max_length=2**31)] | msgspec.UnsetType = msgspec.UNSET


def import_operation(row: type[msgspec.Struct], problems: Mapping[int, Any] | None = None) -> Callable[[View], View]:
    """`@operation` of an import, the same for every table: `row` says what a row may have; `problems` are those of this one."""
    return operation(
        allow=WRITE,
        query=ImportQuery,
        body=Upload,
        body_types=TABLE_TYPES,
        form=row,
        responses={200: ImportReport},
        problems={422: ImportRefused, **(problems or {})},
        budget=math.inf,
    )


def export_operation(
    row: type[msgspec.Struct],
    problems: Sequence[int] = (),
    *,
    allow: Policy = READ,
    query: type[msgspec.Struct] = ExportQuery,
    timed: bool = True,
) -> Callable[[View], View]:
    """`@operation` of an export, likewise; it is `timed` unless the view sees to `as_of` itself, or the query has none."""
    has_past = "as_of" in query.__struct_fields__
    return operation(
        allow=allow,
        query=query,
        responses={200: bytes},
        response_types=TABLE_TYPES,
        form=row,
        problems=(406, *((422,) if has_past else ()), *problems),
        budget=math.inf,
        timed=timed and has_past,
    )


class TableSpec:
    """A table that can be imported: what a row may have (a Struct whose absent fields are UNSET), and how rows relate.

    `key` gives a row's natural key, `after` the key of the row that belongs before it, if any. `line` names a column that holds the line
    number to report, for rows that were taken from another table.
    """

    def __init__(
        self,
        shape: Any,
        *,
        required: Sequence[str],
        key: Callable[[Values], str],
        after: Callable[[Values], str | None] = lambda values: None,
        line: str | None = None,
    ) -> None:
        fields = msgspec.structs.fields(shape)
        self.columns = tuple(field.encode_name for field in fields)
        self.required = tuple(required)
        self._shape = shape
        self._numbers = tuple(field.encode_name for field in fields if _is_number(field.type))
        self._key, self._after, self._line = key, after, line

    def read(self, line: int, cells: Mapping[str, str | None]) -> Spooled[Values] | Refusal:
        """A row checked by itself: ready to be spooled, with absent columns absent and dates as text; or all that is wrong with it."""
        values: Values = dict(cells)
        for name in self._numbers:
            cell = values.get(name)
            if isinstance(cell, str) and len(cell) < 20 and cell.isascii() and cell.isdigit():
                values[name] = int(cell)
        try:
            row: Values = msgspec.to_builtins(msgspec.convert(values, self._shape))
        except msgspec.ValidationError as error:
            first, *others = field_errors(values, self._shape, error)
            message = "; ".join([first.message, *(f"{other.field}: {other.message}" for other in others)])
            return Refusal(self._line_of(values, line), first.field, message)
        line = self._line_of(row, line)
        if self._line is not None:
            row.pop(self._line, None)
        return Spooled(line, self._key(row), self._after(row), row)

    def _line_of(self, values: Values, line: int) -> int:
        given = values.get(self._line) if self._line is not None else None
        return given if isinstance(given, int) and 1 <= given < 2**63 else line


async def import_table(body: UploadStream, query: ImportQuery, table: TableSpec, apply: Apply[Values]) -> Response:
    """Import an upload and answer with the report: 200, or a 422 problem with the same members when `atomic` kept nothing of it."""
    spool: Spool[Values] = Spool(dict)
    try:
        async for batch in read_rows(body, body.media_type, table.columns, table.required):
            read = [table.read(row.line, row.values) for row in batch.rows]
            spool.put([row for row in read if isinstance(row, Spooled)])
            spool.refuse([*batch.refusals, *(row for row in read if isinstance(row, Refusal))])
            await asyncio.sleep(0)
        await apply_all(database(), spool, apply, atomic=query.atomic, dry_run=query.dry_run)
        return _report(spool, failed=query.atomic and spool.counts["refused"] > 0)
    except BaseException:
        spool.close()
        raise


async def export_table(query: ExportQuery, name: str, columns: Sequence[str], pages: Pages) -> Response:
    """The answer to an export, as fast as its reader takes it; `pages` are rows in the columns' order, closed with the answer.

    Raises NotAcceptable, and what the first page raises: it is here before the answer begins.
    """
    writer = Writer(_table_type(query), columns)
    first = writer.head() + writer.rows(await anext(pages, []))
    ending = "csv" if writer.media_type == CSV else "ndjson"
    return stream(_Table(writer, first, pages), writer.content_type, filename=f"{name}.{ending}", headers={"Vary": "Accept"})


class _Table(AsyncIterator[bytes]):
    """A table's bytes. Closing it closes its pages, also when nobody has begun to read: a generator would not."""

    def __init__(self, writer: Writer, first: bytes, pages: Pages) -> None:
        self._writer = writer
        self._first: bytes | None = first
        self._pages = pages

    async def __anext__(self) -> bytes:
        first, self._first = self._first, None
        return self._writer.rows(await anext(self._pages)) if first is None else first

    async def aclose(self) -> None:
        await self._pages.aclose()


def _table_type(query: ExportQuery) -> str:
    if query.format is not None:
        return CSV if query.format == "csv" else NDJSON
    accept = request.headers.get("Accept") or "*/*"
    best = parse_accept_header(accept[:1000], MIMEAccept).best_match(TABLE_TYPES)
    if best is None:
        raise NotAcceptable(f"an export is {' or '.join(TABLE_TYPES)}")
    return best


def _report(spool: Spool[Values], *, failed: bool) -> Response:
    document: Values = dict(spool.counts)
    form = wanted_form()
    if failed:
        refused = spool.counts["refused"]
        problem: Problem = Invalid(f"nothing was stored: {refused} {'row was' if refused == 1 else 'rows were'} refused", **document)
        document = problem.document(exchange().request_id, request.path)
    pieces = _json_report(document, spool) if form == JSON else _yaml_report(document, spool)

    async def chunks() -> AsyncIterator[bytes]:
        try:
            for piece in pieces:
                yield piece
        finally:
            spool.close()

    response = stream(chunks(), PROBLEM_TYPES[form] if failed else form, headers={"Vary": "Accept"})
    response.status_code = Invalid.status if failed else 200
    weakref.finalize(response, spool.close)  # when nobody reads it
    return response


def _json_report(document: Values, spool: Spool[Values]) -> Iterator[bytes]:
    before = encode(document)[:-1] + b',"refusals":['
    for some in spool.refusals():
        yield before + encode([RefusedRow(*refusal) for refusal in some])[1:-1]
        before = b","
    yield b"]}" if before == b"," else before + b"]}"


def _yaml_report(document: Values, spool: Spool[Values]) -> Iterator[bytes]:
    """Each value in its JSON form, which is YAML too."""
    yield b"".join(name.encode() + b": " + encode(value) + b"\n" for name, value in document.items())
    yield b"refusals:\n" if spool.counts["refused"] else b"refusals: []\n"
    for some in spool.refusals():
        yield b"".join(b"- " + encode(RefusedRow(*refusal)) + b"\n" for refusal in some)


def _is_number(kind: Any) -> bool:
    info = msgspec.inspect.type_info(kind)
    parts = info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)
    plain = [part.type if isinstance(part, msgspec.inspect.Metadata) else part for part in parts]
    return any(isinstance(part, msgspec.inspect.IntType) for part in plain)

"""An import from end to end: a table comes in, is spooled and checked row by row, applied, and answered with a report.

Without `atomic` each batch is kept as it is applied: a caller who goes away meanwhile loses the report, not the batches that were kept.
One who goes away while still sending changes nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta
from quart import Response, request

from shared.bodies import UploadStream
from shared.context import database, exchange
from shared.errors import Invalid, Problem
from shared.imports import Apply, Refused, Spool, Spooled, apply_all
from shared.json import encode
from shared.lines import Refusal
from shared.lines import Row as TableRow
from shared.media import PROBLEM_TYPES
from shared.responses import encode_as, stream, wanted_form
from shared.tabular import read_rows

SMALL: Final = 1000
"""Refusals up to which a report is made in memory; a longer one is streamed (as JSON, which is YAML too)."""

_Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class RefusedLine(msgspec.Struct):
    """A row that was not taken; `field` is empty when the whole line is meant."""

    line: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    field: Annotated[str, Meta(max_length=100)]
    message: Annotated[str, Meta(max_length=1000)]


class ImportReport(msgspec.Struct):
    """What became of the rows: the first four add up to all of them."""

    created: _Count
    updated: _Count
    unchanged: _Count
    refused: _Count
    refusals: Annotated[list[RefusedLine], Meta(max_length=2**31)]


class TableQuery(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How an import is meant."""

    atomic: Annotated[bool, Meta(description="All rows or none.")] = False
    dry_run: Annotated[bool, Meta(description="Only tell what would become of the rows.")] = False


async def run_import(
    upload: UploadStream,
    row_type: type[Any],
    read: Callable[[TableRow], Spooled[Any] | Refused],
    apply: Apply[Any],
    query: TableQuery,
    *,
    columns: Sequence[str],
    required: Sequence[str],
) -> Response:
    """The answer to an import. `read` checks one row of the table by itself, `apply` batches of them against what is stored.

    200 with an ImportReport; with `atomic` and a refused row 422 with the same members, and nothing is stored.
    """
    spool: Spool[Any] = Spool(row_type)
    try:
        async for batch in read_rows(upload, upload.media_type, columns, required):
            _put(spool, batch.rows, batch.refusals, read)
            await asyncio.sleep(0)
        await apply_all(database(), spool, apply, atomic=query.atomic, dry_run=query.dry_run)
        return _report(spool, query)
    except BaseException:
        spool.close()
        raise


def _put(spool: Spool[Any], rows: Sequence[TableRow], refusals: Sequence[Refusal], read: Callable[[TableRow], Any]) -> None:
    checked = [(row.line, read(row)) for row in rows]
    refused = [(line, found.field, found.message) for line, found in checked if isinstance(found, Refused)]
    spool.put([found for _, found in checked if not isinstance(found, Refused)])
    spool.refuse([*refusals, *refused])


def _report(spool: Spool[Any], query: TableQuery) -> Response:
    members: dict[str, Any] = dict(spool.counts)
    form, status = wanted_form(), 200
    media_type = form
    if query.atomic and members["refused"]:
        problem: Problem = Invalid(f"{members['refused']} rows were refused, so nothing was stored", **members)
        members = problem.document(exchange().request_id, request.path)
        status, media_type = problem.status, PROBLEM_TYPES[form]
    if members["refused"] > SMALL:
        response = stream(_pieces(members, spool), media_type)
        response.status_code = status
        return response
    lines = [_line(row) for rows in spool.refusals() for row in rows]
    spool.close()
    return Response(encode_as(form, members | {"refusals": lines}), status, content_type=media_type, headers={"Vary": "Accept"})


async def _pieces(members: dict[str, Any], spool: Spool[Any]) -> AsyncIterator[bytes]:
    try:
        before = encode(members)[:-1] + b',"refusals":['
        for rows in spool.refusals():
            yield before + encode([_line(row) for row in rows])[1:-1]
            before = b","
        yield b"]}"
    finally:
        spool.close()


def _line(row: tuple[int, str, str]) -> dict[str, Any]:
    return {"line": row[0], "field": row[1], "message": row[2]}

"""An import of memberships by username: read, resolved and passed on to the teams service as it comes.

The teams service takes nothing before it has the last line, so whatever ends the stream early (a broken upload, an employees service
that can't be asked) changes nothing. With `atomic`, all lines are resolved and put aside first, and a single unknown username refuses all.
"""

import tempfile
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

from gateway.clients import Ask, Upstream
from gateway.clients.faults import refusal
from gateway.memberships.people import BATCH, People, ahead
from shared.errors import Invalid
from shared.json import encode
from shared.pulled import Disconnected
from shared.tabular import NDJSON, Batch, read_rows
from shared.transfers import ImportReport, RefusedRow
from shared.words import fold

COLUMNS: Final = ("team", "username", "role", "since")
REQUIRED: Final = ("team", "username")
MAX_REFUSALS: Final = 100_000
MAX_REPORT: Final = 32 * 1024 * 1024
IN_MEMORY: Final = 1024 * 1024


class Upload(Protocol):
    """A body that is read piece by piece."""

    media_type: str

    def __aiter__(self) -> AsyncIterator[bytes]: ...


class _UploadBroken(Exception):
    """The client has gone in the middle of its upload."""


@dataclass(frozen=True, slots=True)
class _Resolver:
    people: People
    refused: list[RefusedRow]

    async def lines(self, upload: Upload) -> AsyncIterator[bytes]:
        """The upload as the teams service takes it; what can't be is noted among the refused. Raises Problem."""
        try:
            async with aclosing(ahead(read_rows(upload, upload.media_type, COLUMNS, REQUIRED, size=BATCH), self._resolve)) as pieces:
                async for piece in pieces:
                    if piece:
                        yield piece
        except Disconnected as error:
            raise _UploadBroken from error

    async def _resolve(self, batch: Batch) -> bytes:
        self._note([RefusedRow(*refusal) for refusal in batch.refusals])
        ids = await self.people.ids(row.values["username"] or "" for row in batch.rows)
        lines = []
        for line, values in batch.rows:
            username = values["username"]
            employee_id = ids.get(fold(username or ""))
            if employee_id is None:
                self._note([RefusedRow(line, "username", f"there is no employee {username[:100]}" if username else "required")])
            else:
                lines.append(
                    encode({"line": line, "employee_id": employee_id, **{name: values[name] for name in values if name != "username"}})
                )
        return b"".join(line + b"\n" for line in lines)

    def _note(self, refused: Sequence[RefusedRow]) -> None:
        self.refused.extend(refused)
        if len(self.refused) > MAX_REFUSALS:
            raise Invalid(f"More than {MAX_REFUSALS} lines are refused; nothing was changed.")


async def import_rows(employees: Upstream, teams: Upstream, ask: Ask, upload: Upload, *, atomic: bool, dry_run: bool) -> ImportReport:
    """Import, and tell what became of every line. Raises Problem: Invalid with the report when `atomic` refuses all."""
    resolver = _Resolver(People(employees, ask), [])
    try:
        if atomic:
            return await _import_whole(teams, ask, upload, resolver, dry_run=dry_run)
        report = await _pass_on(teams, ask, resolver.lines(upload), atomic=False, dry_run=dry_run)
    except _UploadBroken as error:
        raise Disconnected from error
    return _merged(report, resolver.refused)


async def _import_whole(teams: Upstream, ask: Ask, upload: Upload, resolver: _Resolver, *, dry_run: bool) -> ImportReport:
    with tempfile.SpooledTemporaryFile(IN_MEMORY) as spool:
        async for piece in resolver.lines(upload):
            spool.write(piece)
        spool.seek(0)
        hopeless = bool(resolver.refused)
        report = await _pass_on(teams, ask, _pieces(spool), atomic=not hopeless, dry_run=dry_run or hopeless)
    merged = _merged(report, resolver.refused)
    if merged.refused:
        rows = "row was" if merged.refused == 1 else "rows were"
        raise Invalid(f"nothing was stored: {merged.refused} {rows} refused", **msgspec.structs.asdict(merged))
    return merged


async def _pieces(spool: "tempfile.SpooledTemporaryFile[bytes]") -> AsyncIterator[bytes]:
    while piece := spool.read(64 * 1024):
        yield piece


async def _pass_on(teams: Upstream, ask: Ask, lines: AsyncIterable[bytes], *, atomic: bool, dry_run: bool) -> ImportReport:
    """The teams service's report. Raises Problem."""
    query = {"atomic": atomic, "dry_run": dry_run}
    response = await teams.upload(ask, "import_memberships", query, content_type=NDJSON, body=lines, limit=MAX_REPORT)
    if response.status_code not in (200, 422):
        raise refusal(teams.name, response)
    try:
        return msgspec.json.decode(response.content, type=ImportReport)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise refusal(teams.name, response) from error


def _merged(report: ImportReport, refused: Sequence[RefusedRow]) -> ImportReport:
    """The teams service's report with our own refused lines, by line; its `employee_id` is the file's `username`."""
    theirs = [RefusedRow(one.line, "username" if one.field == "employee_id" else one.field, one.message) for one in report.refusals]
    every = sorted([*theirs, *refused], key=lambda one: one.line)
    return ImportReport(report.created, report.updated, report.unchanged, report.refused + len(refused), every)

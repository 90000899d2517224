"""An export of memberships by username: the teams service's export, its ids resolved on the way."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Final

import msgspec

from gateway.clients import Ask, ExportedMembership, Upstream
from gateway.clients.faults import refusal
from gateway.memberships.people import BATCH, People, ahead
from shared.errors import BadGateway
from shared.tabular import NDJSON

COLUMNS: Final = ("team", "username", "role", "since")
MAX_LINE: Final = 64 * 1024

Rows = list[tuple[str, str, str, str]]


_decode: Final = msgspec.json.Decoder(ExportedMembership).decode


async def export_rows(employees: Upstream, teams: Upstream, ask: Ask) -> AsyncGenerator[Rows, None]:
    """Rows of COLUMNS, a hundred at a time. Raises the Problem of a service that can't be asked.

    Someone whose record is gone is left out: their memberships end as soon as the teams service has heard of it.
    """
    people = People(employees, ask)

    async def resolve(lines: list[ExportedMembership]) -> Rows:
        names = await people.names(line.employee_id for line in lines)
        return [(line.team, names[line.employee_id], line.role, line.since) for line in lines if line.employee_id in names]

    async with teams.stream(ask, "export_memberships", {"format": "ndjson"}, headers={"Accept": NDJSON}) as response:
        if not response.is_success:
            await response.aread()
            raise refusal(teams.name, response)
        async with aclosing(ahead(_batches(response.aiter_raw(), teams.name), resolve)) as pages:
            async for rows in pages:
                yield rows


async def _batches(pieces: AsyncIterator[bytes], service: str) -> AsyncGenerator[list[ExportedMembership], None]:
    """The lines of a stream, up to a hundred at a time. Raises BadGateway for one that is none."""
    rest = b""
    batch: list[ExportedMembership] = []
    async for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        if len(rest) > MAX_LINE:
            raise BadGateway(f"The {service} service gave a line that is too long.")
        for line in filter(None, lines):
            batch.append(_read(line, service))
            if len(batch) == BATCH:
                yield batch
                batch = []
    if rest:
        batch.append(_read(rest, service))
    if batch:
        yield batch


def _read(line: bytes, service: str) -> ExportedMembership:
    try:
        return _decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadGateway(f"The {service} service gave a line that can't be used.") from error

"""Memberships, where the gateway has to know the people: one at a time, and as tables by username."""

from typing import Final

from quart import Blueprint, Response, current_app, request

from gateway import memberships
from gateway.contract import MembershipsRefused
from gateway.memberships.exports import COLUMNS
from gateway.routes.context import ask, gateway, told
from gateway.schemas.directory import MemberBody, Membership, MembershipLine, MembershipRow
from shared.bodies import UploadStream
from shared.errors import TooLarge
from shared.operations import JSON_TYPE, WRITE, Upload, operation
from shared.responses import respond
from shared.transfers import ExportQuery, ImportQuery, export_operation, export_table, import_operation

blueprint: Final = Blueprint("memberships", __name__)
CONDITIONS: Final = ("If-Match", "If-None-Match")
ANSWERED: Final = ("ETag", "Location")


@blueprint.put("/v1/teams/<int:team_id>/members/<int:employee_id>")
@operation(
    allow=WRITE,
    body=Upload,
    body_types=(JSON_TYPE,),
    form=MemberBody,
    responses={200: Membership, 201: Membership},
    problems=(412, 502),
)
async def put_member(team_id: int, employee_id: int, body: UploadStream) -> Response:
    """Put someone into a team, or change their part in it; only who is there and active can be put."""
    parts = gateway()
    headers = {name: request.headers[name] for name in CONDITIONS if name in request.headers}
    content = await _whole(body)
    answer = await memberships.put_member(
        parts.employees, parts.teams, ask(), team_id, employee_id, content, {**headers, "Content-Type": JSON_TYPE}
    )
    answered = {name: answer.headers[name] for name in ANSWERED if name in answer.headers}
    return respond(answer.content, answer.status_code, answered)


@blueprint.post("/v1/memberships/import")
@import_operation(MembershipRow, {422: MembershipsRefused, 502: None})
async def import_memberships(query: ImportQuery, body: UploadStream) -> Response:
    """Import memberships by team and username, with role and since where the file has them."""
    parts = gateway()
    report = await memberships.import_rows(parts.employees, parts.teams, ask(), body, atomic=query.atomic, dry_run=query.dry_run)
    return respond(report)


@blueprint.get("/v1/memberships/export")
@export_operation(MembershipLine, (502,), timed=False)
async def export_memberships(query: ExportQuery) -> Response:
    """All memberships by team and username, as they were at one instant."""
    parts, asked = gateway(), ask(query.as_of)
    rows = memberships.export_rows(parts.employees, parts.teams, asked)
    answer = await export_table(query, "memberships", COLUMNS, rows)
    answer.headers.update(told(asked))
    return answer


async def _whole(body: UploadStream) -> bytes:
    """A small body that is passed on unread. Raises TooLarge."""
    limit = current_app.extensions["settings"].max_body
    content = bytearray()
    async for piece in body:
        content += piece
        if len(content) > limit:
            raise TooLarge(f"the body has more than {limit} bytes")
    return bytes(content)

"""Memberships: of a team, of a person, direct and through subteams."""

from datetime import date
from typing import Any

from quart import Blueprint, Response, current_app, request

from shared.context import author, database, reader
from shared.errors import BadRequest, NotFound
from shared.etags import check_conditions, if_match, not_modified
from shared.listing import respond_page
from shared.operations import READ, WRITE, operation
from shared.responses import created, no_content, respond
from teams.schemas import (
    EffectiveMember,
    EffectiveMemberPage,
    EffectiveMembershipPage,
    EffectiveQuery,
    MemberBody,
    MemberQuery,
    Membership,
    MembershipPage,
    MembershipsQuery,
    MembersQuery,
)
from teams.store import lists
from teams.store import members as store

members = Blueprint("members", __name__, url_prefix="/v1")


@members.get("/teams/<int:team_id>/members")
@operation(allow=READ, query=MembersQuery, responses={200: MembershipPage}, problems=(404, 410, 422), timed=True)
async def list_members(team_id: int, query: MembersQuery) -> Response:
    """Who is in a team itself, by employee id. Inactive people only when asked for."""
    db = reader()
    filters = {"team_id": team_id, "role": query.role, "active": _only_active(query)}
    page = await lists.MEMBERS.page(db, filters, cursor=query.cursor, limit=query.limit, count=query.count)
    if not page.rows:
        await store.demand_team(db, team_id)
    return respond_page(page, Membership)


@members.get("/teams/<int:team_id>/members/<int:employee_id>")
@operation(allow=READ, query=MemberQuery, responses={200: Membership, 304: None}, problems=(404, 422), timed=True)
async def get_member(team_id: int, employee_id: int, query: MemberQuery) -> Response:
    """Someone's membership in a team, active or not."""
    membership = Membership(*await store.get(reader(), team_id, employee_id))
    if query.as_of is not None:
        check_conditions()
        return respond(membership)
    return not_modified(membership.version) or respond(membership, version=membership.version)


@members.put("/teams/<int:team_id>/members/<int:employee_id>")
@operation(allow=WRITE, body=MemberBody, body_optional=True, responses={200: Membership, 201: Membership}, problems=(404, 412))
async def put_member(team_id: int, employee_id: int, body: MemberBody | None) -> Response:
    """Make someone a member of a team, or change their role or since when. Repeating it changes nothing.

    Without a body: a plain member.
    """
    if employee_id < 1:
        raise NotFound("there is no employee 0")
    by, condition = author(), if_match()
    body = body or MemberBody()
    values = {"role": body.role, "since": _text(body.since)}
    known = following()
    record, new = await database().write(lambda conn: store.put(conn, (team_id, employee_id), values, condition, by, following=known))
    document = store.present(record)
    if new:
        return created(document, request.path, version=record["version"])
    return respond(document, version=record["version"])


@members.delete("/teams/<int:team_id>/members/<int:employee_id>")
@operation(allow=WRITE, responses={204: None}, problems=(404, 412))
async def delete_member(team_id: int, employee_id: int) -> Response:
    """End a membership."""
    by, condition = author(), if_match()
    await database().write(lambda conn: store.remove(conn, team_id, employee_id, condition, by))
    return no_content()


@members.get("/teams/<int:team_id>/effective-members")
@operation(allow=READ, query=EffectiveQuery, responses={200: EffectiveMemberPage}, problems=(404, 410, 422), timed=True)
async def list_effective_members(team_id: int, query: EffectiveQuery) -> Response:
    """Everyone in a team or below it, each once, with the paths of slugs that make them a member (the shortest five)."""
    db = reader()
    everyone = _only_active(query) is None
    page = await lists.effective_members(db, team_id, everyone=everyone, cursor=query.cursor, limit=query.limit, count=query.count)
    if not page.rows:
        await store.demand_team(db, team_id)
    return respond_page(page, EffectiveMember)


@members.get("/memberships")
@operation(
    allow=READ,
    query=MembershipsQuery,
    responses={200: MembershipPage},
    variants={"effective": EffectiveMembershipPage},
    problems=(410, 422),
    timed=True,
)
async def list_memberships(query: MembershipsQuery) -> Response:
    """Memberships by employee, team and role; with `effective`, every team that one employee is in, directly or through one below it."""
    if query.effective:
        return await _effective_memberships(query)
    filters: dict[str, Any] = {
        "employee_id": query.employee_id,
        "team_id": query.team_id,
        "role": query.role,
        "active": _only_active(query),
    }
    page = await lists.MEMBERSHIPS.page(reader(), filters, cursor=query.cursor, limit=query.limit, count=query.count)
    return respond_page(page, Membership)


async def _effective_memberships(query: MembershipsQuery) -> Response:
    if query.employee_id is None or len(query.employee_id) != 1:
        raise BadRequest.of("employee_id", "with effective=true it is one employee's id")
    for name in ("team_id", "role"):
        if getattr(query, name) is not None:
            raise BadRequest.of(name, "does not go with effective=true")
    (employee_id,) = query.employee_id
    everyone = _only_active(query) is None
    page = await lists.effective_memberships(
        reader(), employee_id, everyone=everyone, cursor=query.cursor, limit=query.limit, count=query.count
    )
    return respond_page(page)


def following() -> bool:
    """Whether the feed of employees is followed; otherwise every id is an active employee."""
    return bool(current_app.extensions["settings"].employees_url)


def _only_active(query: EffectiveQuery) -> bool | None:
    """The filter that leaves out inactive people; None when they are to be listed."""
    return True if query.include is None and following() else None


def _text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()

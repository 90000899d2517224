"""Teams: listed, created, read, replaced, patched, deleted; and those below one."""

from typing import Any

import msgspec
from quart import Blueprint, Response, url_for

from shared.changes import Author
from shared.context import author, database, idempotency_key, reader
from shared.db import Connection
from shared.etags import check_conditions, etag, if_match, not_modified
from shared.idempotency import Answer
from shared.json import encode
from shared.listing import only, respond_page
from shared.operations import READ, WRITE, operation
from shared.responses import answered, no_content, respond
from shared.timeline import refuse_present_only
from teams.contract import HasSubteams
from teams.schemas import (
    DeleteQuery,
    Subteam,
    SubteamPage,
    SubteamsQuery,
    Team,
    TeamBody,
    TeamPage,
    TeamPatch,
    TeamQuery,
    TeamsQuery,
)
from teams.store import ONCE, lists, members
from teams.store import teams as store

teams = Blueprint("teams", __name__, url_prefix="/v1/teams")


@teams.get("")
@operation(allow=READ, query=TeamsQuery, responses={200: TeamPage}, problems=(410, 422), timed=True)
async def list_teams(query: TeamsQuery) -> Response:
    """Teams, a page at a time: all, or those that match every filter."""
    if query.as_of is not None:
        refuse_present_only(q=query.q, sort=query.sort)
    filters: dict[str, Any] = {"slug": query.slug, "id": query.id}
    if query.parent_id is not None:
        filters |= {"roots": True} if query.parent_id == "none" else {"parent_id": query.parent_id}
    page = await lists.page(reader(), query.q, filters, sort=query.sort, cursor=query.cursor, limit=query.limit, count=query.count)
    return respond_page(page, Team, fields=query.fields)


@teams.post("")
@operation(allow=WRITE, body=TeamBody, responses={201: Team}, problems=(409,))
async def create_team(body: TeamBody) -> Response:
    """Create a team. May be repeated with an Idempotency-Key."""
    by, path = author(), url_for("teams.list_teams")

    def unit(conn: Connection) -> Answer:
        made = store.create(conn, msgspec.structs.asdict(body), by)
        headers = {"Location": f"{path}/{made['id']}", "ETag": etag(made["version"])}
        return Answer(201, encode(store.present(made)), headers)

    return answered(await ONCE.write_once(database(), await idempotency_key(), unit))


@teams.get("/<int:team_id>")
@operation(allow=READ, query=TeamQuery, responses={200: Team, 304: None}, problems=(404, 422), timed=True)
async def get_team(team_id: int, query: TeamQuery) -> Response:
    """One team."""
    team = Team(*await store.get(reader(), team_id))
    if query.fields is not None:
        check_conditions()
        return respond(only(msgspec.structs.asdict(team), query.fields))
    if query.as_of is not None:
        check_conditions()
        return respond(team)
    return not_modified(team.version) or respond(team, version=team.version)


@teams.put("/<int:team_id>")
@operation(allow=WRITE, body=TeamBody, responses={200: Team}, problems=(404, 409, 412))
async def replace_team(team_id: int, body: TeamBody) -> Response:
    """Replace a team: what is left out becomes empty."""
    return await _update(team_id, msgspec.structs.asdict(body), author())


@teams.patch("/<int:team_id>")
@operation(allow=WRITE, body=TeamPatch, responses={200: Team}, problems=(404, 409, 412))
async def patch_team(team_id: int, body: Any) -> Response:
    """Change some fields of a team (merge patch)."""
    return await _update(
        team_id, {name: value for name, value in msgspec.structs.asdict(body).items() if value is not msgspec.UNSET}, author()
    )


@teams.delete("/<int:team_id>")
@operation(allow=WRITE, query=DeleteQuery, responses={204: None}, problems={404: None, 409: HasSubteams, 412: None})
async def delete_team(team_id: int, query: DeleteQuery) -> Response:
    """Delete a team; its memberships end. One with subteams only when told what becomes of those."""
    by, condition = author(), if_match()
    await database().write(lambda conn: store.remove(conn, team_id, query.subteams, condition, by))
    return no_content()


@teams.get("/<int:team_id>/subteams")
@operation(allow=READ, query=SubteamsQuery, responses={200: SubteamPage}, problems=(404, 410, 422), timed=True)
async def list_subteams(team_id: int, query: SubteamsQuery) -> Response:
    """The teams below a team, the nearest first, each with its depth."""
    db = reader()
    page = await lists.subteams(db, team_id, query.depth, cursor=query.cursor, limit=query.limit, count=query.count)
    if not page.rows:
        await members.demand_team(db, team_id)
    fields = None if query.fields is None else [*query.fields, "depth"]
    return respond_page(page, Subteam, fields=fields)


async def _update(team_id: int, values: dict[str, Any], by: Author) -> Response:
    condition = if_match()
    after = await database().write(lambda conn: store.update(conn, team_id, values, condition, by))
    return respond(store.present(after), version=after["version"])

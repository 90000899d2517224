"""`/v1/teams/<id>/history`: who changed a team or its memberships, when, and how."""

from quart import Blueprint, Response

from shared.context import reader
from shared.history import HistoryQuery
from shared.listing import respond_entries
from shared.operations import READ, operation
from teams.errors import NoSuchTeam
from teams.schemas import TeamHistoryPage
from teams.store.history import HISTORY

history = Blueprint("history", __name__, url_prefix="/v1/teams")


@history.get("/<int:team_id>/history")
@operation(allow=READ, query=HistoryQuery, responses={200: TeamHistoryPage}, problems=(404, 410, 422), timed=True)
async def list_team_history(team_id: int, query: HistoryQuery) -> Response:
    """Every change of a team and of who is in it, the newest first; also of a team that was deleted."""
    page = await HISTORY.page(reader(), team_id, cursor=query.cursor, limit=query.limit)
    if not page.rows and query.cursor is None:
        raise NoSuchTeam(team_id)
    return respond_entries(page)

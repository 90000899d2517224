"""The feed of teams: what happened to teams and memberships, in order."""

from quart import Blueprint, Response

from shared.context import database
from shared.feed import BUDGET, MEDIA_TYPE, ChangesQuery
from shared.operations import FEED, operation
from shared.responses import respond
from teams.contract import Events
from teams.store import FEED as FEED_OF_TEAMS

changes = Blueprint("changes", __name__, url_prefix="/v1")


@changes.get("/changes")
@operation(
    allow=FEED, query=ChangesQuery, responses={200: Events}, response_types=(MEDIA_TYPE,), problems=(410,), budget=BUDGET, waits=True
)
async def list_changes(query: ChangesQuery) -> Response:
    """The changes after one, as a batch of CloudEvents; an event's id is the cursor to go on with. Waits for the next one if told to."""
    return respond(await FEED_OF_TEAMS.answer(database(), query), media_type=MEDIA_TYPE)

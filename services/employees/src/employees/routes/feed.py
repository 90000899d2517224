"""`/v1/changes`: what happened to employees, in order, for services that follow."""

import math

from quart import Blueprint, Response

from employees.contract import Events
from employees.schemas import ChangesQuery
from employees.store.people import FEED
from shared.context import database
from shared.feed import MEDIA_TYPE
from shared.operations import FEED as FEED_READERS
from shared.operations import operation
from shared.responses import respond

blueprint = Blueprint("feed", __name__)


@blueprint.get("/v1/changes")
@operation(
    allow=FEED_READERS,
    query=ChangesQuery,
    responses={200: Events},
    response_types=(MEDIA_TYPE,),
    problems=(410,),
    budget=math.inf,
    waits=True,
)
async def list_changes(query: ChangesQuery) -> Response:
    """Changes after an event, as a batch of CloudEvents; with `wait`, answers when there is one."""
    events = await FEED.read(database(), query.after, query.limit, float(query.wait))
    return respond(events, media_type=MEDIA_TYPE)

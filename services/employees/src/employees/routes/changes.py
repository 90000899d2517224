"""`/v1/changes`: what happened to employees, in order, for services that follow."""

from quart import Blueprint, Response

from employees.contract import Events
from employees.store import FEED as FEED_OF_EMPLOYEES
from shared.context import database
from shared.feed import BUDGET, MEDIA_TYPE, ChangesQuery
from shared.operations import FEED, operation
from shared.responses import respond

blueprint = Blueprint("changes", __name__)


@blueprint.get("/v1/changes")
@operation(
    allow=FEED,
    query=ChangesQuery,
    responses={200: Events},
    response_types=(MEDIA_TYPE,),
    problems=(410,),
    budget=BUDGET,
    waits=True,
)
async def list_changes(query: ChangesQuery) -> Response:
    """Changes after an event, as a batch of CloudEvents; with `wait`, answers when there is one."""
    return respond(await FEED_OF_EMPLOYEES.answer(database(), query), media_type=MEDIA_TYPE)

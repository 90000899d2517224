"""The merged feed: what happened in the whole directory, as batches or as a stream."""

import time
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlencode

from quart import Blueprint, Response, request
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from gateway.errors import ServiceUnavailable
from gateway.feed import EVERYTHING, Batch, Stream, Vector
from gateway.feed.schemas import NOW, FeedEvents, FeedQuery, Restored, Unreadable
from gateway.feed.stream import AT_ONCE, LINGER
from gateway.feed.stream import MEDIA_TYPE as EVENT_STREAM
from gateway.routes.context import check_again, gateway, grant, wants_all
from shared.context import exchange
from shared.feed import BUDGET, MEDIA_TYPE
from shared.media import JSON_NAMES, YAML_NAMES
from shared.operations import READ, operation
from shared.responses import respond, stream

blueprint: Final = Blueprint("changes", __name__)
LAST_SEEN: Final = "Last-Event-ID"


@blueprint.get("/v1/changes")
@operation(
    allow=READ,
    query=FeedQuery,
    responses={200: FeedEvents},
    response_types=(MEDIA_TYPE, EVENT_STREAM),
    problems={410: Restored, 503: Unreadable},
    budget=BUDGET,
    waits=True,
    takes=(LAST_SEEN, "Prefer"),
    gives={200: ("X-Gateway-Complete", "Preference-Applied", "Link")},
)
async def list_changes(query: FeedQuery) -> Response:
    """What happened to employees, teams and memberships, as a batch of CloudEvents; with `Accept: text/event-stream`, a stream.

    Order is promised within each service. `Link` has where to read on. An empty batch means that there is nothing new anywhere: when a
    service can't be asked and the other has nothing new, the answer is 503. With events, `X-Gateway-Complete: false` says that there may
    be others. `after=now` skips what has happened; a stream goes on after `Last-Event-ID` if that is given.
    """
    if _wants_stream():
        return await _stream(query)
    at = await _place(query.after, "after")
    feed = gateway().outlets.feed
    batch = await feed.read(at, query.entity or EVERYTHING, limit=query.limit, wait=query.wait)
    await check_again()
    strict = wants_all()
    if strict or not batch.events:
        batch.require()
    headers = {**_complete(batch), "Link": _next(query, batch.after)}
    if strict:
        headers["Preference-Applied"] = "handling=strict"
    return respond(b"[%b]" % b",".join(event.json() for event in batch.events), headers=headers, media_type=MEDIA_TYPE)


def _wants_stream() -> bool:
    accept = request.headers.get("Accept", "")
    if EVENT_STREAM not in accept:
        return False
    return parse_accept_header(accept[:1000], MIMEAccept).best_match((MEDIA_TYPE, *JSON_NAMES, *YAML_NAMES, EVENT_STREAM)) == EVENT_STREAM


async def _place(given: str | None, field: str) -> Vector:
    """Where to read on. Raises BadRequest, ServiceUnavailable."""
    if given == NOW:
        return await gateway().outlets.feed.newest()
    return Vector() if given is None else Vector.parse(given, field)


def _next(query: FeedQuery, after: Vector) -> str:
    rest = [(name, value) for name, value in request.args.items(multi=True) if name != "after"]
    return f'<{request.path}?{urlencode([*rest, ("after", str(after))], safe=",~")}>; rel="next"'


def _complete(batch: Batch) -> dict[str, str]:
    return {"X-Gateway-Complete": "false" if batch.missing else "true"}


async def _stream(query: FeedQuery) -> Response:
    """The stream from its first batch on: what is wrong with the cursor is a problem, not an event."""
    parts, now = gateway().outlets, exchange()
    parts.streams.enter()  # before anything is waited for: of many who come at once none is too many
    now.at_end = parts.streams.leave
    seen = request.headers.get(LAST_SEEN)
    at = await _place(query.after, "after") if seen is None else Vector.parse(seen, LAST_SEEN)
    entities = query.entity or EVERYTHING
    first = await parts.feed.read(at, entities, limit=AT_ONCE)
    if wants_all():
        first.require()
    over, now.interrupt = _end_of(now.interrupt)
    if now.asked is None:
        now.deadline = None  # it lasts until its reader leaves; the budget is that of a poll
    pieces = Stream(parts.feed, entities, over, now.request_id).pieces(first)
    return stream(pieces, EVENT_STREAM, headers={**_complete(first), "Vary": "Accept"})


def _end_of(stopping: Callable[[], bool]) -> tuple[Callable[[], Awaitable[str]], Callable[[], bool]]:
    """Why this request's stream is to end, asked again and again; and whether it is to be cut off, since it was due and did not end."""
    parts, mine = gateway(), grant()  # a stream outlives the request in which these are known
    due = 0.0

    async def over() -> str:
        if stopping():
            return "the service is stopping"
        try:
            ended = mine is not None and not await parts.lasts(mine)
        except ServiceUnavailable:
            return "the session or token can't be checked"
        return "the session or token has ended" if ended else ""

    def overdue() -> bool:
        nonlocal due
        if stopping() and not due:
            due = time.monotonic() + LINGER
        return bool(due) and time.monotonic() > due

    return over, overdue

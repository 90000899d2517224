"""Which instant `?as_of=` means, how far the log had gone by then, and up to when nothing can change any more.

A moment is settled when every change up to it is committed and none can follow: a transaction's changes are later than all before it
(`shared.changes`), so the last one's time is settled, and any later time is once a transaction of the writer has noted it. An instant that
is not settled yet is settled before it is answered; where that can't be done soon, because a long import is being written, the answer
says up to when it holds.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, TypeVar

from msgspec import Meta

from shared.changes import LogTables
from shared.cursors import instant_of
from shared.db import Database, Reader, StoreError
from shared.db.database import utc_now
from shared.errors import BadRequest, FieldError, Invalid
from shared.past import Moment, Past, Present

_DAY: Final = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_TIME: Final = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?"
_ZONE: Final = r"[Zz]|[ +-]([01][0-9]|2[0-3]):[0-5][0-9]"
PATTERN: Final = rf"^{_DAY}([Tt]{_TIME}({_ZONE}))?(?!\n)$"
_END: Final = "T23:59:59.999999Z"

AsOf = Annotated[
    str,
    Meta(
        max_length=40,
        pattern=PATTERN,
        extra={"expected": "a date (2026-11-22) or a time with its zone (2026-11-22T07:49:09Z)"},
        description="How it was then: a time (RFC 3339), or a date for the end of that day in UTC. Lists are sorted by id then.",
    ),
]
"""The type of the query parameter `as_of`."""

AHEAD: Final = 1.0
"""Seconds that the caller's clock may be ahead of ours: for so long an instant that has not come yet is waited for."""
FRESH: Final = timedelta(seconds=1)
"""How old a settled moment may be to stand for the present day."""
PATIENCE: Final = 0.25
"""Seconds to wait for the writer to settle a moment."""
NEVER: Final = "0001-01-01T00:00:00.000000Z"

Answer = TypeVar("Answer")


class Timeline:
    """The instants of a service's log."""

    def __init__(self, db: Database, log: LogTables) -> None:
        self._db = db
        self._log = log
        self._seen: Moment | None = None

    async def answer(self, asked: str, cursor: str | None, give: Callable[[Reader], Awaitable[Answer]]) -> tuple[Answer, Moment]:
        """What `give` makes of a reader of the moment that is asked for, and that moment. Raises as `moment` does.

        A moment after which nothing has happened, by what was seen last, is read like the present. Something may have happened since
        then, or meanwhile: that is looked at afterwards, and then it is read once more as the past.
        """
        moment = await self._moment(asked, cursor, self._seen or await self._head())
        if not moment.latest:
            return await give(Past(self._db, moment)), moment
        answer = await give(Present(self._db, moment))
        head = await self._head()
        if head.seq != moment.seq or head.at > moment.at:
            moment = await self._moment(asked, cursor, head)
            answer = await give(Past(self._db, moment))
        return answer, moment

    async def moment(self, asked: str, cursor: str | None = None) -> Moment:
        """The moment that is asked for; that of the pages before, when there is a cursor.

        Raises BadRequest naming `as_of` or `cursor`, Invalid for a time in the future.
        """
        return await self._moment(asked, cursor, await self._head())

    async def _moment(self, asked: str, cursor: str | None, head: Moment) -> Moment:
        """The same by what is known: what was settled stays so."""
        wanted = read_instant(asked)
        of_cursor = None if cursor is None else _instant_of(cursor, asked, wanted)
        if of_cursor is not None:
            wanted = of_cursor
        elif wanted > max(now := self._db.now(), head.stable):
            if len(asked) == len("2026-11-22") and asked <= now[:10]:
                return await self._present(head, now)
            await _wait_for(wanted, now)
        if wanted > head.stable:
            head = await self._settled(wanted)
        return await self._at(wanted, head)

    async def _present(self, head: Moment, now: str) -> Moment:
        """The present day so far: what is settled, if that is not a second old."""
        if head.stable < (fresh := _moved(now, -FRESH)):
            head = await self._settled(fresh)
        return await self._at(head.stable, head)

    async def _at(self, at: str, head: Moment) -> Moment:
        if at >= head.at:
            return Moment(at, head.seq, head.stable, latest=True)
        row = await self._db.one(self._log.until, at=at)
        return Moment(at, 0 if row is None else row[0], head.stable, latest=False)

    async def _head(self) -> Moment:
        """The last moment at which something happened, and what is settled now."""
        seq, at, _, settled, aside = (await self._db.all(self._log.last))[0]
        last = max(at or NEVER, aside or NEVER)
        self._seen = Moment(last, seq or 0, max(last, settled or NEVER), latest=True)
        return self._seen

    async def _settled(self, at: str) -> Moment:
        """The same, once a moment is settled, or could not be."""
        head = await self._head()
        if head.stable >= at:
            return head
        try:
            async with asyncio.timeout(PATIENCE):
                await self._db.write(self._log.settle)
        except (TimeoutError, StoreError):
            pass  # a long transaction, or a full disk: the answer says how far it can be relied on
        return await self._head()


def read_instant(text: str) -> str:
    """A time or a date as UTC text like the log's; a date is its last microsecond, smaller parts of one are cut off.

    A blank before the zone is the + that a query turns into one. Raises BadRequest naming `as_of`.
    """
    try:
        if re.fullmatch(PATTERN, text) is None:
            raise ValueError(text)
        if len(text) == len("2026-11-22"):
            return datetime.fromisoformat(text).date().isoformat() + _END
        found = datetime.fromisoformat(re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", text.upper().replace(" ", "+")))
        return _text(found.astimezone(UTC))
    except (ValueError, OverflowError) as error:
        raise BadRequest.of("as_of", "is no date (2026-11-22) and no time with its zone (2026-11-22T07:49:09Z)") from error


def explicit_instant(text: str) -> str:
    """What several services are to be asked for, so that all answer for one instant: the time itself, or the end of the day, or, while
    that day lasts, now. A time in the future is left to them to refuse. Raises BadRequest naming `as_of`.
    """
    wanted, now = read_instant(text), utc_now()
    return now if len(text) == len("2026-11-22") and text <= now[:10] and wanted > now else wanted


def refuse_present_only(**asked: Any) -> None:
    """Raise Invalid naming those parameters of a list that do not go with `as_of`: a search (`q`), and any `sort` but by id."""
    errors = [FieldError("q", "does not go with as_of: the past is not searched")] if asked.get("q") is not None else []
    if asked.get("sort", "id") != "id":
        errors.append(FieldError("sort", "with as_of, lists are sorted by id"))
    if errors:
        raise Invalid("; ".join(f"{error.field}: {error.message}" for error in errors), errors=errors)


def _instant_of(cursor: str, asked: str, wanted: str) -> str:
    """The instant that a page before showed, if it can be the one that is asked for."""
    found = instant_of(cursor)
    if found is None or found > wanted or (found != wanted and found[:10] != asked):
        raise BadRequest.of("cursor", "belongs to a list as of another time")
    return found


async def _wait_for(wanted: str, now: str) -> None:
    """Wait for what is a little ahead. Raises Invalid for a time in the future."""
    ahead = (datetime.fromisoformat(wanted) - datetime.fromisoformat(now)).total_seconds()
    if ahead > AHEAD:
        raise Invalid.of("as_of", "is in the future")
    await asyncio.sleep(ahead)


def _moved(at: str, by: timedelta) -> str:
    return _text(datetime.fromisoformat(at) + by)


def _text(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")[:26] + "Z"

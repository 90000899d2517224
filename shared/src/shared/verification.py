"""Whether a log is as it was written: its chain of hashes, heads that were noted elsewhere, and the states that it tells of.

The chain finds every row that was altered, removed or put in, but for one thing: whoever cuts off its end, or writes all of it anew, leaves
a chain that fits. A head (`Head`) that was noted outside of the database finds that too.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared.changes import Change, LogTables, hash_of
from shared.db import Database, StoreError, Unavailable
from shared.records import Records
from shared.statecheck import StateCheck

PAGE: Final = 1000
Row = tuple[Any, ...]
_TYPES: Final = [int, str, str, int, int, str, str, str, str, str]


@dataclass(frozen=True, slots=True)
class Head:
    """Where a log ended: its last row's place and hash. Of an empty log, 0 and no text."""

    seq: int
    hash: str


class LogBroken(StoreError):
    """The log, or a state that it tells of, is not what was written: ``seq`` is the first row that does not fit, ``head`` the last before
    it that does.
    """

    def __init__(self, seq: int, reason: str, head: Head = Head(0, "")) -> None:
        super().__init__(f"change {seq}: {reason}")
        self.seq = seq
        self.reason = reason
        self.head = head


async def head_of(db: Database, log: LogTables) -> Head:
    """The head of a log, to be noted."""
    [(seq, _, hash_, *_)] = await db.all(log.last)
    return Head(seq or 0, hash_ or "")


async def verify(db: Database, log: LogTables, records: Iterable[Records] = (), noted: Sequence[Head] = ()) -> Head:
    """Walk the whole log; its head. Raises LogBroken at the first row that was altered, removed or put in, or whose state was.

    `records` are the entities whose states are compared with what the log tells of them; `noted` are heads that the log has had.
    """
    checks = [StateCheck(log, one) for one in records]
    hashes = {head.seq: head.hash for head in noted if head.seq}
    head, at = Head(0, ""), ""
    of_state: LogBroken | None = None
    while rows := await _rows(db, log, head.seq):
        first = head
        for row in rows:
            fault = _fault(row, head, at) or _not_noted(row, hashes)
            if fault is not None:
                raise LogBroken(head.seq + 1, fault, head)
            head, at = Head(row[0], row[9]), row[1]
        for check in checks if of_state is None else ():
            if (found := await check.fault(db, [Change(*row[:8]) for row in rows], [row[8] for row in rows])) is not None:
                of_state = LogBroken(found.seq, found.reason, first)  # told only if the log itself is sound
                break
    await _check_ends(db, log, head, hashes)
    for check in checks if of_state is None else ():
        if (found := await check.fault_now(db)) is not None:
            of_state = LogBroken(found.seq, found.reason, head)
            break
    if of_state is not None:
        raise of_state
    return head


async def _rows(db: Database, log: LogTables, after: int) -> list[Row]:
    """The rows that follow; one by one where some can't be read. Raises LogBroken when that is the next."""
    for limit in (PAGE, 1):
        try:
            return await db.all(log.after, seq=after, limit=limit)
        except Unavailable:
            raise
        except StoreError as error:  # bytes that are no text
            failed = error
    raise LogBroken(after + 1, "can't be read") from failed


def _fault(row: Row, before: Head, at: str) -> str | None:
    if row[0] != before.seq + 1:
        return "is missing"
    if list(map(type, row)) != _TYPES:
        return "is not of the types that are written"
    if row[9] != hash_of(before.hash, Change(*row[:8]), row[8]):
        return "its hash does not fit what it says"
    return "is older than the one before" if row[1] < at else None


def _not_noted(row: Row, noted: Mapping[int, str]) -> str | None:
    if noted.get(row[0], row[9]) == row[9]:
        return None
    return "is not the one that was noted: it, or what comes before it, was written anew"


async def _check_ends(db: Database, log: LogTables, head: Head, noted: Mapping[int, str]) -> None:
    """What is before the first row, and after the last."""
    cut = [seq for seq in noted if seq > head.seq]
    if cut:
        raise LogBroken(head.seq + 1, f"is missing: the log was noted up to change {max(cut)}", head)
    try:
        first = await db.one(log.after, seq=-(2**63), limit=1)
    except Unavailable:
        raise
    except StoreError:
        first = (0,)
    if first is not None and first[0] < 1:
        raise LogBroken(first[0], "was put in before the first", head)

"""Rows put aside: their order, their rounds, what is refused, and what is kept."""

import asyncio
import random
import sqlite3
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.db import Connection, Database
from shared.imports import BATCH, Abandoned, Outcome, Refused, Spool, Spooled, Waits, apply_all

Row = dict[str, Any]
NOBODY: Any = None


def spooled(rows: Sequence[tuple[str, str | None]]) -> Spool[Row]:
    """A spool with rows (key, after), on lines from 2 on."""
    spool: Spool[Row] = Spool(dict)
    lines = [Spooled(line, key, after, {"key": key, "after": after}) for line, (key, after) in enumerate(rows, 2)]
    for start in range(0, len(lines), BATCH):
        spool.put(lines[start : start + BATCH])
    return spool


class Tree:
    """Takes a row once the one that it is after is there; counts how often it was asked."""

    def __init__(self, *there: str) -> None:
        self.keys = list(there)
        self.asked = 0

    def apply(self, conn: Connection, rows: Sequence[Row]) -> list[Outcome]:
        return [self._one(row) for row in rows]

    def _one(self, row: Row) -> Outcome:
        self.asked += 1
        if row["after"] is not None and row["after"] not in self.keys:
            return Waits("after", f"no {row['after']}")
        self.keys.append(row["key"])
        return "created"


def run(spool: Spool[Row], apply: Callable[[Any, Sequence[Row]], Sequence[Outcome]]) -> list[tuple[int, str, str]]:
    """All refusals, in order, once everything was applied."""
    spool.sort()
    while spool.step(NOBODY, apply):
        pass
    refusals = [one for some in spool.refusals() for one in some]
    spool.close()
    return refusals


@given(st.lists(st.integers(0, 10**6), max_size=60), st.randoms(use_true_random=False))
def test_every_row_comes_once_after_the_one_that_it_names(choices: list[int], shuffler: random.Random) -> None:
    rows = [(str(number), None if not number or choice % 5 == 0 else str(choice % number)) for number, choice in enumerate(choices)]
    shuffler.shuffle(rows)
    tree = Tree()
    assert run(spooled(rows), tree.apply) == []
    assert (tree.asked, sorted(tree.keys)) == (len(rows), sorted(key for key, _ in rows))


def test_rows_that_need_no_order_keep_that_of_the_file() -> None:
    tree = Tree("z")
    run(spooled([("c", None), ("a", "z"), ("b", "c"), ("d", None)]), tree.apply)
    assert tree.keys == ["z", "c", "a", "b", "d"]


def test_a_long_chain_from_its_end_takes_one_round() -> None:
    size = 3 * BATCH + 7
    tree = Tree()
    assert run(spooled([(str(number), str(number - 1) if number else None) for number in reversed(range(size))]), tree.apply) == []
    assert tree.asked == size


def test_circles_and_rows_after_nothing_are_refused_in_the_order_of_the_file() -> None:
    rows = [("a", "b"), ("b", "a"), ("fine", None), ("self", "self"), ("lost", "nowhere"), ("below", "lost")]
    spool = spooled(rows)
    refusals = run(spool, Tree().apply)
    assert refusals == [
        (2, "after", "no b"),
        (3, "after", "no a"),
        (5, "after", "no self"),
        (6, "after", "no nowhere"),
        (7, "after", "no lost"),
    ]
    assert spool.counts == {"created": 1, "updated": 0, "unchanged": 0, "refused": 5}


def test_what_waits_comes_back_until_a_round_brings_nothing() -> None:
    done: list[str] = []

    def backwards(_: Any, rows: Sequence[Row]) -> list[Outcome]:
        """Takes rows from the last key to the first only."""
        return [_take(row["key"]) for row in rows]

    def _take(key: str) -> Outcome:
        if key == "9" or str(int(key) + 1) in done:
            done.append(key)
            return "updated"
        return Waits("", "not yet")

    spool = spooled([(str(number), None) for number in range(10)])
    assert run(spool, backwards) == []
    assert done == [str(number) for number in reversed(range(10))]


def test_unchanged_rows_are_no_progress() -> None:
    asked: list[str] = []

    def apply(_: Any, rows: Sequence[Row]) -> list[Outcome]:
        asked.extend(row["key"] for row in rows)
        return [Waits("", "never") if row["key"] == "w" else "unchanged" for row in rows]

    assert run(spooled([("w", None), ("x", None)]), apply) == [(2, "", "never")]
    assert asked == ["w", "x"]


def test_a_key_is_taken_once() -> None:
    spool = spooled([("a", None), ("b", None), ("a", None)])
    spool.put([Spooled(9, "b", None, {"key": "b", "after": None}), Spooled(9, "c", None, {"key": "c", "after": None})])
    tree = Tree()
    refusals = run(spool, tree.apply)
    assert [(line, "line" in message) for line, _, message in refusals] == [(4, True), (9, True)]
    assert tree.keys == ["a", "b", "c"]


async def test_batches_are_kept_one_by_one_or_all_or_none(db: Database) -> None:
    async def attempt(**how: bool) -> tuple[bool, int]:
        spool = spooled([(str(number), None if number else "nothing") for number in range(2 * BATCH)])
        tree = Tree()
        kept = await apply_all(db, spool, tree.apply, atomic=how.get("atomic", False), dry_run=how.get("dry_run", False))
        assert spool.counts["refused"] == 1
        spool.close()
        return kept, len(tree.keys)

    assert await attempt() == (True, 2 * BATCH - 1)
    assert await attempt(atomic=True) == (False, 2 * BATCH - 1)
    assert await attempt(dry_run=True) == (False, 2 * BATCH - 1)


async def test_who_leaves_ends_the_import_at_its_next_batch(db: Database) -> None:
    spool = spooled([(str(number), None) for number in range(3 * BATCH)])

    def leave(conn: Connection, rows: Sequence[Row]) -> list[Outcome]:
        spool.close()
        return [Refused("", "x") for _ in rows]

    with pytest.raises(Abandoned):
        await apply_all(db, spool, leave, atomic=True, dry_run=False)
    with pytest.raises(sqlite3.ProgrammingError):
        list(spool.refusals())


async def test_who_leaves_during_the_last_batch_leaves_no_file(db: Database) -> None:
    spool = spooled([("a", None)])
    begun, go = threading.Event(), threading.Event()

    def apply(conn: Connection, rows: Sequence[Row]) -> list[Outcome]:
        begun.set()
        go.wait(20)
        return ["created"]

    importing = asyncio.create_task(apply_all(db, spool, apply, atomic=False, dry_run=False))
    await asyncio.to_thread(begun.wait)
    importing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await importing
    spool.close()
    go.set()
    await db.write(lambda conn: None)
    with pytest.raises(sqlite3.ProgrammingError):
        list(spool.refusals())

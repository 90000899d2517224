"""Sessions in the database."""

from typing import Any

import pytest
from sqlalchemy import text

from gateway import store
from gateway.errors import WrongCredentials
from gateway.models import log
from gateway.revocations import InDatabase
from gateway.sessions import SessionCookies, Sessions
from gateway.store import accounts, sessions
from shared.changes import Author
from shared.db import Database, Query
from shared.verification import verify

AUTHOR = Author("account:1", "request-1")
AT = "2026-11-22T08:00:00.000000Z"
DIGESTS = Query(text("SELECT digest FROM sessions ORDER BY digest"))
NOTED = Query(text("SELECT entity_id, kind FROM changes WHERE entity = 'session' ORDER BY seq"))


def begun(account: accounts.Holder, digest: str, at: str = AT, **more: Any) -> store.Unit:
    times = {"ending": None, "idle_before": "2026-11-22T07:29:00.000000Z", "begun_before": "2026-11-21T20:00:00.000000Z"}
    new = sessions.NewSession(digest, account.id, account.generation, at, "curl", crowded=more.pop("crowded", False))
    return sessions.begin_session(new, AUTHOR, **{**times, **more})


async def test_a_session_lasts_until_it_is_ended(db: Database, add: Any) -> None:
    account = await add()
    session_id = await db.write(begun(account, "a"))
    found = await sessions.find_session(db, "a")
    assert found == sessions.SessionRow(session_id, account.id, account.generation, AT, AT, "ada", "viewer", valid=True)
    assert await sessions.find_session(db, "b") is None
    for _ in range(2):
        await db.write(sessions.end_session("a", AUTHOR))
    assert await sessions.find_session(db, "a") is None
    assert await db.all(NOTED) == [(session_id, "created"), (session_id, "deleted")]
    assert (await verify(db, log)).seq == 3


async def test_sessions_are_ended_one_by_one_and_all_together(db: Database, add: Any) -> None:
    ada, bob = await add(), await add("bob")
    ids = [await db.write(begun(who, digest)) for who, digest in ((ada, "a"), (ada, "b"), (ada, "c"), (bob, "d"))]
    assert [await sessions.owner_of(db, one) for one in (ids[0], ids[3], 999)] == [ada.id, bob.id, None]
    for _ in range(2):
        await db.write(lambda conn: sessions.end_one(conn, ids[0], AUTHOR))
    await db.write(lambda conn: sessions.end_all(conn, ada.id, AUTHOR, but=ids[1]))
    assert await db.all(DIGESTS) == [("b",), ("d",)]
    await db.write(lambda conn: sessions.end_all(conn, ada.id, AUTHOR))
    assert await db.all(DIGESTS) == [("d",)]
    assert (await verify(db, log)).seq == 2 + 4 + 3


async def test_the_list_has_what_is_in_force(db: Database, add: Any) -> None:
    account = await add()
    for digest, at in (("old", "2026-11-22T07:00:00.000000Z"), ("new", AT)):
        await db.write(begun(account, digest, at, idle_before=""))
    since = ("2026-11-22T07:30:00.000000Z", "2026-11-21T20:00:00.000000Z")
    page = await sessions.list_sessions(db, account.id, since, cursor=None, limit=10)
    assert [row[1:] for row in page.rows] == [(AT, AT, "curl")]
    assert (await sessions.list_sessions(db, account.id + 1, since, cursor=None, limit=10)).rows == []


async def test_another_generation_or_a_disabled_account_lets_no_session_be(db: Database, add: Any) -> None:
    account = await add()
    await db.write(begun(account, "a"))
    changes: list[dict[str, Any]] = [{"generation": 2}, {"generation": 1, "disabled": True}]
    for change in changes:

        def unit(conn: Any, change: dict[str, Any] = change) -> Any:
            before = accounts.ACCOUNTS.get(conn, account.id)
            assert before is not None
            return accounts.ACCOUNTS.change(conn, before, change, AUTHOR)

        await db.write(unit)
        found = await sessions.find_session(db, "a")
        assert found is not None
        assert not found.valid
        with pytest.raises(WrongCredentials):
            await db.write(begun(account, "b"))


async def test_a_new_session_ends_the_old_and_those_worn_out(db: Database, add: Any) -> None:
    account = await add()
    times = {"old": "2026-11-21T19:59:59.000000Z", "idle": "2026-11-22T07:28:59.000000Z", "good": AT}
    old, idle, good = [await db.write(begun(account, digest, at, idle_before="", begun_before="")) for digest, at in times.items()]
    new = await db.write(begun(account, "new", ending="good"))
    assert await db.all(DIGESTS) == [("new",)]
    ends = Query(text("SELECT entity_id, actor FROM changes WHERE entity = 'session' AND kind = 'deleted' ORDER BY seq"))
    assert await db.all(ends) == [(old, "gateway"), (idle, "gateway"), (good, "account:1")]
    assert (await verify(db, log)).seq == new


async def test_worn_out_sessions_end_a_hundred_at_a_time(db: Database, add: Any) -> None:
    account = await add()
    for number in range(sessions.AT_ONCE + 1):
        await db.write(begun(account, f"{number}", "2026-11-21T08:00:00.000000Z", idle_before="", begun_before=""))
    for left in (1, 0):
        await db.write(begun(account, f"new {left}"))
        assert len([row for row in await db.all(DIGESTS) if not row[0].startswith("new")]) == left


async def test_the_last_use_is_noted_at_most_once_a_minute(db: Database, add: Any) -> None:
    account = await add()
    now = 1_800_000_000.0
    cookies = SessionCookies(["k" * 40])
    kept = Sessions(db, cookies, InDatabase(), idle=1800, absolute=43200, clock=lambda: now, log=None)
    session = await kept.begin(account, ending=None, user_agent=None, request_id="r")
    cookie = str(cookies.serializer_of_keys.dumps(session.claims)).encode()
    seen = []
    for step in (0, 2, 30, 27, 2, 2, 60):
        now += step
        assert await kept.check(cookie) == session
        await kept.close()
        found = await sessions.find_session(db, session.digest)
        assert found is not None
        seen.append(found.seen_at[11:19])
    assert seen == ["08:00:00"] * 4 + ["08:01:01"] * 2 + ["08:02:03"]


async def test_in_a_crowd_those_unused_the_longest_go(db: Database, add: Any) -> None:
    ada, bob = await add(), await add("bob")
    await db.write(begun(bob, "another's"))
    for number in range(sessions.MOST + 2):
        await db.write(begun(ada, f"{number}"))
    assert [await sessions.crowded(db, one.id) for one in (ada, bob)] == [True, False]
    await db.write(sessions.note_seen("0", "2026-11-22T08:00:01.000000Z"))
    await db.write(begun(ada, "new", crowded=True))
    left = {row[0] for row in await db.all(DIGESTS)}
    assert len(left) == sessions.MOST + 1
    assert {"another's", "0", "new"} <= left
    assert left.isdisjoint({"1", "2", "3"})
    assert (await verify(db, log)).seq == 2 + (sessions.MOST + 4) + 3

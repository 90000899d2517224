"""Accounts that belong to employees, and what the feed's news do to them: once, in one unit with the cursor."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.store import accounts, links
from gateway.store.links import POSITIONS, News
from shared.changes import Author
from shared.db import Connection, Database
from shared.following import START, Position

AUTHOR = Author("service:employees-feed", "feed")
ADA = News(7, "2020", 3, active=True)
LAST = 2**62


async def linked(db: Database, add: Any, seen: News = ADA, name: str = "ada") -> int:
    account_id = int((await add(name)).id)
    await db.write(lambda conn: links.link(conn, account_id, seen))
    return account_id


async def apply(db: Database, *news: News, cursor: str = "e.9") -> int:
    at = await POSITIONS.read(db)
    return await db.write(lambda conn: links.apply(conn, at, news, cursor, AUTHOR))


async def complete(db: Database) -> int:
    at = await POSITIONS.read(db)
    return await db.write(lambda conn: links.finish_reading(conn, at, AUTHOR))


async def is_disabled(db: Database, account_id: int) -> bool:
    return (await accounts.get_log_in(db, account_id)).disabled


@pytest.mark.parametrize("news", [News(7, "2020", 4, active=False), News(7, None, LAST, active=False)], ids=["inactive", "deleted"])
async def test_who_leaves_is_out_once(db: Database, add: Any, news: News) -> None:
    account_id, other = await linked(db, add), await linked(db, add, replace(ADA, employee_id=8), "bob")
    await complete(db)
    assert await apply(db, replace(ADA, version=4), replace(news, version=max(news.version, 5))) == 1
    assert (await is_disabled(db, account_id), await is_disabled(db, other)) == (True, False)
    assert await apply(db, news) == 0


async def test_every_account_of_someone_is_disabled_and_none_that_was_unlinked(db: Database, add: Any) -> None:
    first, second, third = [await linked(db, add, name=name) for name in ("ada", "ada.admin", "other")]
    await db.write(lambda conn: links.link(conn, third, None))
    await complete(db)
    assert await apply(db, News(7, None, LAST, active=False)) == 2
    assert [await is_disabled(db, one) for one in (first, second, third)] == [True, True, False]


async def test_old_news_change_nothing(db: Database, add: Any) -> None:
    account_id = await linked(db, add)
    await complete(db)
    assert await apply(db, replace(ADA, version=2, active=False), replace(ADA, version=3, active=False)) == 0
    assert not await is_disabled(db, account_id)


async def test_effect_and_cursor_are_one_and_happen_once(db: Database, add: Any) -> None:
    account_id = await linked(db, add)
    await complete(db)
    at = await POSITIONS.read(db)
    gone = [News(7, None, LAST, active=False)]

    def broken(conn: Connection) -> None:
        assert links.apply(conn, at, gone, "e.9", AUTHOR) == 1
        raise RuntimeError("the end of the process")

    with pytest.raises(RuntimeError, match="the end"):
        await db.write(broken)
    assert (await POSITIONS.read(db), await is_disabled(db, account_id)) == (at, False)
    for ended in (1, 0):
        assert await db.write(lambda conn: links.apply(conn, at, gone, "e.9", AUTHOR)) == ended
    assert (await POSITIONS.read(db)).cursor == "e.9"


async def test_what_was_has_no_effect_while_a_feed_is_read_anew(db: Database, add: Any) -> None:
    """After a restore of employees: ada was away for a while, bob still is, eve is gone, and dan's id is somebody else's."""
    people = {name: replace(ADA, employee_id=number) for number, name in enumerate(("ada", "bob", "eve", "dan"), 1)}
    known = {name: await linked(db, add, seen, name) for name, seen in people.items()}
    await complete(db)
    at = await POSITIONS.read(db)
    await db.write(lambda conn: POSITIONS.read_anew(conn, at))
    ada, bob, _, dan = people.values()
    past = [replace(ada, version=1), replace(ada, version=2, active=False), replace(bob, version=1, active=False)]
    assert await apply(db, *past, cursor="f.3") == 0
    assert await apply(db, replace(ada, version=3), replace(dan, born="2026", version=1), cursor="f.5") == 0
    assert await complete(db) == 3
    assert {name: await is_disabled(db, one) for name, one in known.items()} == {"ada": False, "bob": True, "eve": True, "dan": True}
    assert await complete(db) == 0


async def test_who_is_linked_while_a_feed_is_read_anew_is_there_at_its_end(db: Database, add: Any) -> None:
    await db.write(lambda conn: POSITIONS.read_anew(conn, START))
    account_id = await linked(db, add)
    assert await apply(db, replace(ADA, version=2, active=False), cursor="f.2") == 0
    assert await complete(db) == 0
    assert not await is_disabled(db, account_id)
    assert await POSITIONS.read(db) == Position("f.2", 2, True)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.booleans(), st.sampled_from(["read on", "link", "enable"])), max_size=12), st.integers(1, 4))
async def test_an_account_is_in_force_only_while_its_employee_is(db: Database, add: Any, steps: list[tuple[bool, str]], size: int) -> None:
    """Whatever happens in whichever order, and however late and in whichever pieces news come: at the end of the feed the account is
    disabled if its employee is inactive; and it is not, if the employee has been active ever since the account was last enabled.
    """
    name = f"who{next(NUMBERS)}"
    employee_id, account_id = next(NUMBERS), int((await add(name)).id)
    feed = [News(employee_id, "2020", 1, active=True)]
    read, since = 0, None
    await complete(db)
    for active, what in steps:
        feed.append(News(employee_id, "2020", len(feed) + 1, active))
        if what == "read on" and read < len(feed):
            await apply(db, *feed[read : read + size], cursor=f"e.{next(NUMBERS)}")
            read = min(read + size, len(feed))
        elif feed[-1].active:
            await db.write(lambda conn: _enable(conn, account_id, feed[-1]))
            since = len(feed)
    while read < len(feed):
        await apply(db, *feed[read : read + size], cursor=f"e.{next(NUMBERS)}")
        read += size
    disabled = await is_disabled(db, account_id)
    if since is not None:
        assert disabled is any(not one.active for one in feed[since:])


NUMBERS = iter(range(100, 10**9))


def _enable(conn: Connection, account_id: int, seen: News) -> None:
    before = accounts.ACCOUNTS.get(conn, account_id)
    assert before is not None
    accounts.ACCOUNTS.change(conn, before, {"disabled": False, "employee_id": seen.employee_id}, AUTHOR)
    links.link(conn, account_id, seen)

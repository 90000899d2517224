"""What teams asks of employees: its own client and follower, with a database, against a server that answers by the pact alone."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from sqlalchemy import select

from shared.db import Database, Query
from shared.feedclient import Event, FeedFault
from shared.following import Position
from shared.migrate import upgrade
from shared.testing.callers import Signer
from teams.clients import EmployeeState, feed_of_employees
from teams.follower import AUTHOR, follower_of, person_of
from teams.models import people
from teams.store import projection
from tools.contracts.asked import employees_by_teams as feed
from tools.contracts.pacts import Exchange, make

KNOWN = Query(select(people.c.employee_id, people.c.username, people.c.status, people.c.deleted))
ADA, BOB = (1, "ada", "active", False), (2, "bob", "active", False)
ADA_LEFT, BOB_INACTIVE = (1, "ada", "active", True), (2, "bob", "inactive", False)
ADA_ERASED = (1, "erased-1", "inactive", False)
KEY = Signer("teams").private_key


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database of teams, migrated once."""
    path = tmp_path_factory.mktemp("template") / "teams.db"
    upgrade(f"sqlite:///{path}", "teams")
    return path.read_bytes()


@asynccontextmanager
async def opened(template: bytes, folder: Path) -> AsyncIterator[Database]:
    """A database of teams, open."""
    path = folder / "teams.db"
    path.write_bytes(template)
    db = Database(f"sqlite:///{path}", readers=1)
    await db.open()
    try:
        yield db
    finally:
        await db.close()


async def step(db: Database, *exchanges: Exchange) -> list[tuple[Any, ...]]:
    """Let the follower read once for each exchange; whom teams knows then."""
    with make("teams", "employees", exchanges).serve("127.0.0.1", raises=True) as server:
        employees = feed_of_employees(str(server.url).rstrip("/"), KEY)
        follower = follower_of(employees, db, structlog.get_logger(), wait=1, longest_pause=1)
        try:
            for _ in exchanges:
                await follower.step()
        finally:
            await follower.stop()
    return sorted(await db.all(KNOWN))


async def know(db: Database, events: Sequence[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Take in events as the follower does; whom teams knows then."""
    at = await projection.POSITIONS.read(db)
    read = [msgspec.convert(event, Event[EmployeeState]) for event in events]
    persons = [person for event in read if (person := person_of(event))]
    await db.write(lambda conn: projection.apply(conn, at, persons, read[-1].id, AUTHOR))
    return sorted(await db.all(KNOWN))


async def complete(db: Database) -> None:
    """Have the end of the feed reached."""
    at = await projection.POSITIONS.read(db)
    await db.write(lambda conn: projection.finish_reading(conn, at, AUTHOR))


def plain(event: Any) -> Any:
    """An event of the pact with its examples for its matchers."""
    if isinstance(event, dict):
        return {name: plain(value) for name, value in event.items()}
    return getattr(event, "value", event)


async def test_the_feed_from_its_beginning(template: bytes, tmp_path: Path) -> None:
    async with opened(template, tmp_path) as db:
        assert await step(db, feed.FROM_START) == [ADA_LEFT, BOB_INACTIVE]


async def test_the_feed_after_an_event(template: bytes, tmp_path: Path) -> None:
    async with opened(template, tmp_path) as db:
        assert await know(db, [plain(feed.HIRED), plain(feed.OTHER)]) == [ADA, BOB]
        assert await step(db, feed.FROM_CURSOR) == [ADA_LEFT, BOB_INACTIVE]


async def test_the_feed_when_nothing_is_new(template: bytes, tmp_path: Path) -> None:
    async with opened(template, tmp_path) as db:
        known = await know(db, [plain(event) for event in (feed.HIRED, feed.OTHER, feed.INACTIVE, feed.LEFT)])
        await complete(db)
        assert await step(db, feed.NO_NEWS) == known


async def test_the_feed_before_anything_has_happened(template: bytes, tmp_path: Path) -> None:
    async with opened(template, tmp_path) as db:
        assert await step(db, feed.NOTHING) == []
        assert (await projection.POSITIONS.read(db)).complete


def holds(folder: Path, text: bytes) -> bool:
    """Whether the files of the database have it somewhere."""
    return any(text in path.read_bytes() for path in folder.glob("teams.db*"))


async def test_the_feed_of_someone_who_was_erased(template: bytes, tmp_path: Path) -> None:
    """Teams knows them; then nothing of it is left, in the files neither."""
    async with opened(template, tmp_path) as db:
        await know(db, [{**plain(feed.HIRED), "data": {**plain(feed.HIRED["data"]), "username": "mary-shelley"}}])
        assert holds(tmp_path, b"mary-shelley")
        assert await know(db, [plain(feed.BLANK)]) == [ADA_ERASED]
        assert not holds(tmp_path, b"mary-shelley")
    (anew := tmp_path / "anew").mkdir()
    async with opened(template, anew) as db:
        assert await step(db, feed.BLANKED) == [ADA_ERASED]


async def test_the_feed_of_a_restored_directory(template: bytes, tmp_path: Path) -> None:
    async with opened(template, tmp_path) as db:
        await know(db, [plain(feed.HIRED) | {"id": "e0.4"}])
        await step(db, feed.GONE)
        assert await projection.POSITIONS.read(db) == Position(None, 2, False)


@pytest.mark.parametrize("exchange", [feed.DATABASE_AWAY, feed.NOT_TRUSTED], ids=lambda one: one.description)
async def test_the_feed_that_can_not_be_read(exchange: Exchange, template: bytes, tmp_path: Path) -> None:
    async with opened(template, tmp_path) as db:
        with pytest.raises(FeedFault, match=f"status {exchange.status}"):
            await step(db, exchange)


async def test_every_message_is_understood(template: bytes, tmp_path: Path) -> None:
    contents: list[dict[str, Any]] = []

    def take(body: str | bytes | None, metadata: dict[str, object]) -> None:
        contents.append(msgspec.json.decode(str(body).encode()))

    make("teams", "employees", feed.MESSAGES).verify(take, "Async")
    contents.sort(key=lambda event: str(event["id"]))
    async with opened(template, tmp_path) as db:
        assert await know(db, contents[:1]) == [ADA]
        assert await know(db, contents) == [(*ADA_ERASED[:3], True), BOB_INACTIVE]


def test_everything_in_the_pact_is_used() -> None:
    used = {feed.FROM_START, feed.FROM_CURSOR, feed.NO_NEWS, feed.NOTHING, feed.BLANKED, feed.GONE}
    assert {*used, feed.DATABASE_AWAY, feed.NOT_TRUSTED, *feed.MESSAGES} == {*feed.ALL}

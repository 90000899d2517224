"""Random trees and memberships against a naive model: the same answers from both databases, and from the model."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.changes import Author
from shared.db import Connection, Database
from shared.errors import Problem
from shared.etags import Precondition
from teams.models import MAX_PATHS
from teams.store import lists, members, projection, teams

AUTHOR = Author("account:1", "r")
ANY = Precondition(None)
SHAPES = ("a", "a-b", "a0", "ab", "z")
TEAMS, PEOPLE = 8, 5
taken = iter(range(1, 10**9))

team = st.integers(0, TEAMS - 1)
person = st.integers(0, PEOPLE - 1)
operations = st.lists(
    st.one_of(
        st.tuples(st.just("create"), team, st.none() | team, st.sampled_from(SHAPES)),
        st.tuples(st.just("move"), team, st.none() | team),
        st.tuples(st.just("delete"), team, st.sampled_from([None, "reparent", "delete"])),
        st.tuples(st.just("join"), team, person, st.sampled_from(["lead", "member"])),
        st.tuples(st.just("join"), team, person, st.sampled_from(["lead", "member"])),
        st.tuples(st.just("leave"), team, person),
        st.tuples(st.just("person"), person, st.sampled_from(["active", "inactive", "deleted"])),
    ),
    max_size=40,
)


class Model:
    """Teams and people by small numbers. Each operation tells whether it is allowed, and does it."""

    def __init__(self) -> None:
        self.slugs: dict[int, str] = {}
        self.parents: dict[int, int | None] = {}
        self.roles: dict[tuple[int, int], str] = {}
        self.status: dict[int, str] = {}

    def create(self, number: int, parent: int | None, slug: str) -> bool:
        if parent is not None and parent not in self.slugs:
            return False
        self.slugs[number], self.parents[number] = slug, parent
        return True

    def line(self, number: int | None) -> list[int]:
        return [] if number is None else [number, *self.line(self.parents[number])]

    def below(self, number: int) -> list[int]:
        return [other for other in self.slugs if number in self.line(other)]

    def move(self, number: int, parent: int | None) -> bool:
        if parent is not None and (parent not in self.slugs or number in self.line(parent)):
            return False
        self.parents[number] = parent
        return True

    def delete(self, number: int, mode: str | None) -> bool:
        children = [other for other, parent in self.parents.items() if parent == number]
        if children and mode is None:
            return False
        if mode == "reparent":
            self.parents |= dict.fromkeys(children, self.parents[number])
        for gone in self.below(number):
            del self.slugs[gone], self.parents[gone]
            self.roles = {key: role for key, role in self.roles.items() if key[0] != gone}
        return True

    def join(self, number: int, who: int, role: str) -> bool:
        if self.status.get(who) == "deleted":
            return False
        self.roles[number, who] = role
        return True

    def leave(self, number: int, who: int) -> bool:
        return self.roles.pop((number, who), None) is not None

    def person(self, who: int, status: str) -> bool:
        if self.status.get(who) != "deleted":
            self.status[who] = status
        if status == "deleted":
            self.roles = {key: role for key, role in self.roles.items() if key[1] != who}
        return True

    def paths(self, number: int, who: int) -> list[list[str]]:
        """From a team down to each membership, the shortest first."""
        found = []
        for holder, member in self.roles:
            line = self.line(holder)
            if member == who and number in line:
                found.append([self.slugs[step] for step in reversed(line[: line.index(number) + 1])])
        return sorted(found, key=lambda path: (len(path), "/".join(path)))[:MAX_PATHS]

    def effective(self, number: int, everyone: bool) -> dict[int, tuple[str | None, list[list[str]]]]:
        shown = [who for who in range(PEOPLE) if everyone or self.status.get(who) != "inactive"]
        return {who: (self.roles.get((number, who)), paths) for who in shown if (paths := self.paths(number, who))}


class Real:
    """The same on a database, under ids that no other example uses."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.example = next(taken)
        self.ids: dict[int, int] = {}

    def who(self, number: int) -> int:
        return self.example * 100 + number

    async def allowed(self, unit: Any) -> bool:
        try:
            await self.db.write(unit)
        except Problem:
            return False
        return True

    async def create(self, number: int, parent: int | None, slug: str) -> bool:
        def unit(conn: Connection) -> None:
            values = {"slug": slug, "name": slug, "parent_id": None if parent is None else self.ids.get(parent, 2**62)}
            self.ids[number] = teams.create(conn, values, AUTHOR)["id"]

        return await self.allowed(unit)

    async def move(self, number: int, parent: int | None) -> bool:
        to = None if parent is None else self.ids.get(parent, 2**62)
        return await self.allowed(lambda conn: teams.update(conn, self.ids[number], {"parent_id": to}, ANY, AUTHOR))

    async def delete(self, number: int, mode: Any) -> bool:
        return await self.allowed(lambda conn: teams.remove(conn, self.ids[number], mode, ANY, AUTHOR))

    async def join(self, number: int, who: int, role: str) -> bool:
        place = (self.ids[number], self.who(who))
        return await self.allowed(lambda conn: members.put(conn, place, {"role": role, "since": None}, ANY, AUTHOR, following=True))

    async def leave(self, number: int, who: int) -> bool:
        return await self.allowed(lambda conn: members.remove(conn, self.ids[number], self.who(who), ANY, AUTHOR))

    async def person(self, who: int, status: str) -> bool:
        at = await projection.POSITIONS.read(self.db)
        seq = int(at.cursor or 0) + 1
        event = projection.Person(self.who(who), "x", "inactive" if status == "deleted" else status, status == "deleted", "then", seq)
        await self.db.write(lambda conn: projection.apply(conn, at, [event], str(seq), AUTHOR))
        return True

    async def effective(self, number: int, everyone: bool) -> dict[int, tuple[str | None, list[list[str]]]]:
        rows: list[Any] = []
        cursor = None
        while True:
            page = await lists.effective_members(self.db, self.ids[number], everyone=everyone, cursor=cursor, limit=2, count=True)
            rows += page.rows
            cursor = page.next
            if cursor is None:
                assert page.total == len(rows)
                return {row[0] - self.example * 100: row[1:] for row in rows}

    async def of_person(self, who: int, everyone: bool) -> list[Any]:
        page = await lists.effective_memberships(self.db, self.who(who), everyone=everyone, cursor=None, limit=200, count=True)
        assert page.total == len(page.rows)
        return [(row[0], row[3], row[4]) for row in page.rows]


@given(steps=operations)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_answers_are_those_of_the_model(db: Database, steps: list[Any]) -> None:
    model, real = Model(), Real(db)
    for name, *arguments in steps:
        first = arguments[0]
        if name == "create":
            if first in model.slugs:
                continue
            arguments[2] = f"{arguments[2]}-{real.example}-{next(taken)}"
        elif name != "person" and first not in model.slugs:
            continue
        assert await getattr(real, name)(*arguments) is getattr(model, name)(*arguments), (name, arguments)
    for number in model.slugs:
        for everyone in (False, True):
            assert await real.effective(number, everyone) == model.effective(number, everyone)
    for who in range(PEOPLE):
        shown = model.status.get(who) != "inactive"
        mine = sorted(
            (real.ids[number], model.roles.get((number, who)), paths)
            for number in model.slugs
            if shown and (paths := model.paths(number, who))
        )
        assert await real.of_person(who, everyone=False) == mine

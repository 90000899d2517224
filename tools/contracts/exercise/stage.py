"""A service that is exercised: its app on a database of its own, and everything that was asked and answered."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import msgspec
import sqlalchemy as sa

from shared.migrate import engine_of
from shared.openapi import Example
from shared.openapi.examples import COMMON
from shared.service import Service
from shared.testing.answers import Rules, Seen
from tools.contracts.exercise import bounds, refusals
from tools.contracts.exercise.asking import Case, ask, body_of
from tools.contracts.exercise.documents import Operation, operations
from tools.contracts.story import ENDS

Headers = Mapping[str, str]
MakeApp = Callable[..., Service]
OTHER_EPOCH: Final = "another-epoch"


@dataclass(frozen=True, slots=True)
class Answered:
    """A case and what came back."""

    case: Case
    seen: Seen

    def faults(self, rules: Rules) -> list[str]:
        """What is not as the case and the document say."""
        found = [f"{self.case}: {fault}" for fault in rules.faults(self.seen)]
        if self.seen.status != self.case.status:
            return [f"{self.case}: {self.seen.status} {self.seen.body[:300]!r}", *found]
        return found + [f"{self.case}: {fault}" for fault in self._faults()]

    def _faults(self) -> Iterator[str]:
        """What the case knows, and no document."""
        if self.seen.headers.get("x-content-type-options") != "nosniff":
            yield "it may be taken for another type"
        if self.case.gives is not None and self.case.gives not in self.seen.headers:
            yield f"there is no {self.case.gives}"
        value = self.seen.value
        if self.case.status >= 400 and isinstance(value, dict):
            if value.get("instance") != self.case.path:
                yield f"the problem is of {value.get('instance')}"
            if self.seen.headers.get("cache-control") != "no-store":
                yield "the problem may be kept"
        if self.case.names is not None:
            errors = value.get("errors") if isinstance(value, dict) else None
            named = [str(one.get("field")) for one in errors if isinstance(one, dict)] if isinstance(errors, list) else []
            if not any(name == self.case.names or name.startswith(f"{self.case.names}.") for name in named):
                yield f"the problem names {named}"
        if self.case.shows is not None:
            yield from missing(self.case.shows, value, self.seen.body)


def missing(shown: Any, value: Any, body: bytes, path: str = "$") -> Iterator[str]:
    """The members of `shown` that `value` has not, or of another type. A text is the first line of the body."""
    if isinstance(shown, str) and path == "$":
        if shown.split("\n")[0].strip() != body.decode().split("\n")[0].strip():
            yield f"the first line is not {shown.splitlines()[0]!r}"
    elif isinstance(shown, dict) and isinstance(value, dict):
        yield from (f"{path}.{name} is not there" for name in shown if name not in value)
        for name in shown.keys() & value.keys():
            yield from missing(shown[name], value[name], body, f"{path}.{name}")
    elif isinstance(shown, list) and isinstance(value, list):
        for one, other in zip(shown, value, strict=False):
            yield from missing(one, other, body, f"{path}[]")
    elif None not in (shown, value) and type(shown) is not type(value):
        yield f"{path} is a {type(value).__name__}"


class Asked(Protocol):
    """Whom a scene asks: a service, or the gateway in front of it."""

    examples: Mapping[str, Example]

    @property
    def operations(self) -> Mapping[str, Operation]: ...

    async def ask(self, case: Case) -> Seen: ...


@dataclass
class Stage:
    """`make_app(**settings)` makes the app; `examples` are sent in their order to an empty service; `scenes` are its own cases."""

    service: str
    database_url: str
    make_app: MakeApp
    headers: Callable[[str | None], Headers]
    examples: Mapping[str, Example]
    scenes: Sequence[Callable[["Asked"], Awaitable[None]]]
    cursors: Mapping[str, Mapping[str, Any]]
    record: list[Answered] = field(default_factory=list)
    app: Any = None

    @property
    def operations(self) -> dict[str, Operation]:
        return {one.name: one for one in operations(self.app.extensions["openapi"]())}

    async def ask(self, case: Case) -> Seen:
        """Send a case, and take down what came."""
        seen = await ask(self.app, case, self.headers(case.role))
        self.record.append(Answered(case, seen))
        return seen

    async def ask_all(self, cases: Iterable[Case]) -> None:
        for case in cases:
            await self.ask(case)

    @asynccontextmanager
    async def running(self, **settings: Any) -> AsyncIterator[None]:
        """The service lives for the length of the block."""
        self.app = self.make_app(database_url=self.database_url, **settings)
        async with self.app.test_app():
            yield

    async def perform(self) -> list[Answered]:
        """Everything, in order."""
        async with self.running():
            await self._examples(last=False)
            for one in self.operations.values():
                known = one.statuses
                await self.ask_all(
                    case for case in (*refusals.cases(one), *refusals.of_today(one), *bounds.cases(one)) if case.status in known
                )
            for scene in self.scenes:
                await scene(self)
            cursors = {name: await self._cursor(name) for name, one in self.operations.items() if 410 in one.statuses}
            await self._examples(last=True)
        await asyncio.to_thread(self._new_epoch)
        async with self.running():
            await self.ask_all(self._stale(name, cursor) for name, cursor in cursors.items())
            await self.app.extensions["db"].close()
            await self.ask_all(one.case(503, "without a database") for one in self.operations.values() if 503 in one.statuses)
            break_views(self.app)
            await self.ask_all(one.case(500, "broken within") for one in self.operations.values() if 500 in one.statuses)
        await self._elsewhere()
        return self.record

    async def _examples(self, *, last: bool) -> None:
        every = {**COMMON, **self.examples}
        for name, example in every.items():
            one = self.operations[name]
            if (name in ENDS) is last:
                await self.ask(example_case(one, example))

    async def _cursor(self, name: str) -> str:
        one = self.operations[name]
        query = {"limit": 1, **self.cursors[name]}
        path = one.path(**query.pop("path", {}))
        seen = await self.ask(one.case(200, "a first page", path=path, query=query))
        value = msgspec.json.decode(seen.body)
        return str(value[-1]["id"] if isinstance(value, list) else value["next"])

    def _stale(self, name: str, cursor: str) -> Case:
        one = self.operations[name]
        query = {"limit": 1, **self.cursors[name]}
        path = one.path(**query.pop("path", {}))
        return one.case(410, "after a restore", path=path, query={**query, ("after" if name == "list_changes" else "cursor"): cursor})

    def _new_epoch(self) -> None:
        engine = engine_of(self.database_url)
        try:
            with engine.begin() as connection:
                connection.execute(sa.text("UPDATE meta SET value = :epoch WHERE name = 'epoch'").bindparams(epoch=OTHER_EPOCH))
        finally:
            engine.dispose()

    async def _elsewhere(self) -> None:
        self.app = self.make_app(database_url=self.database_url, open=True, identity_keys="", migrate=False)
        await self.ask_all(refusals.from_elsewhere(one) for one in self.operations.values())


def example_case(one: Operation, example: Example) -> Case:
    """The request of an example, and the answer that it tells of."""
    headers = dict(example.headers)
    if example.body is not None:
        headers["content-type"] = example.media_type or next(iter(one.bodies()))
    return Case(
        operation=one.name,
        status=example.status,
        about="the example",
        method=one.method,
        path=one.path(**example.path),
        query=example.query,
        headers=headers,
        body=body_of(example.body),
        shows=example.answer,
    )


def break_views(app: Any) -> None:
    """Every view raises what nobody expects."""

    async def broken(**arguments: Any) -> Any:
        raise LookupError("broken by the exercise")

    known = app._operations
    for endpoint, (_, declared) in list(known.items()):
        known[endpoint] = broken, declared

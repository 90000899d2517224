"""Usernames to ids and back, a hundred in one call, several calls at the same time, the answers in order."""

import asyncio
import re
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing
from dataclasses import replace
from typing import Final, TypeVar

from gateway.clients import Ask, Page, Person, Upstream
from shared.words import fold

BATCH: Final = 100
AHEAD: Final = 4
"""Calls under way at the same time for one import or export."""

REMEMBERED: Final = 20_000
CALL: Final = 5.0
"""Seconds for one call: a transfer may take long, a lookup may not."""

_ASKABLE: Final = re.compile(r"[^\s,\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,128}")

Item = TypeVar("Item")
Result = TypeVar("Result")


class People:
    """The employees service as a directory of names, for one transfer."""

    def __init__(self, employees: Upstream, ask: Ask) -> None:
        self._employees = employees
        self._ask = ask
        self._ids: dict[str, int] = {}
        self._names: dict[int, str] = {}

    async def ids(self, usernames: Iterable[str]) -> dict[str, int]:
        """The ids of at most 100 usernames, by the folded name; who is unknown is left out. Raises Problem."""
        wanted = {fold(name) for name in usernames}
        unknown = sorted(name for name in wanted if name not in self._ids and _ASKABLE.fullmatch(name))
        if unknown:
            for person in await self._list({"username": unknown}):
                _remember(self._ids, fold(person.username), person.id)
        return {name: self._ids[name] for name in wanted if name in self._ids}

    async def names(self, ids: Iterable[int]) -> dict[int, str]:
        """The usernames of at most 100 ids; who is gone is left out. Raises Problem."""
        wanted = set(ids)
        unknown = sorted(wanted - self._names.keys())
        if unknown:
            for person in await self._list({"id": unknown}):
                _remember(self._names, person.id, person.username)
        return {id_: self._names[id_] for id_ in wanted if id_ in self._names}

    async def _list(self, which: dict[str, list[str]] | dict[str, list[int]]) -> list[Person]:
        soon = asyncio.get_running_loop().time() + CALL
        ask = replace(self._ask, deadline=soon if self._ask.deadline is None else min(soon, self._ask.deadline))
        _, page = await self._employees.get(ask, "list_employees", Page[Person], {**which, "fields": "id,username", "limit": BATCH})
        return page.items


async def ahead(items: AsyncGenerator[Item, None], work: Callable[[Item], Awaitable[Result]]) -> AsyncGenerator[Result, None]:
    """Work on the items of a stream, a few at the same time, with the results in the items' order. Closing it closes the stream."""

    async def do(item: Item) -> Result:
        return await work(item)

    running: deque[asyncio.Task[Result]] = deque()
    try:
        async with aclosing(items):
            async for item in items:
                running.append(asyncio.create_task(do(item)))
                if len(running) >= AHEAD:
                    yield await running.popleft()
        while running:
            yield await running.popleft()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _remember(known: dict[Item, Result], key: Item, value: Result) -> None:
    if len(known) >= REMEMBERED:
        del known[next(iter(known))]
    known[key] = value

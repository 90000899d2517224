"""The parts of an answer that is put together from several: what is asked at the same time, what may be missing, and how that is told.

A part is required or optional. A required part's failure is the whole answer's. An optional part that fails is null, is named under
`_parts`, and the answer says `X-Gateway-Complete: false`; an empty list always means that its owner said so.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from gateway.schemas import Failure
from shared.errors import Problem

Value = TypeVar("Value")
Record = dict[str, Any]


@dataclass(slots=True)
class Joined:
    """A document and whether all of its parts are there."""

    document: Record
    failures: list[Failure] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        return not self.failures


@dataclass(frozen=True, slots=True)
class Plan:
    """The parts of one kind of answer: those without which there is none, and those that may be missing."""

    required: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()


class Parts:
    """Runs the parts of one answer at the same time, as planned. With `strict` every part is required."""

    def __init__(self, plan: Plan, *, strict: bool) -> None:
        self.strict = strict
        self._plan = plan
        self.failures: list[Failure] = []
        self._group = asyncio.TaskGroup()
        self.missed: list[Problem] = []
        self._fatal: list[Problem] = []

    async def __aenter__(self) -> "Parts":
        await self._group.__aenter__()
        return self

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            await self._group.__aexit__(kind, error, trace)
        except BaseExceptionGroup:
            if self._fatal:
                raise self._fatal[0] from None
            raise

    def ask(self, name: str, work: Coroutine[Any, Any, Value]) -> "asyncio.Task[Value]":
        """A required part: its Problem is raised when the block ends, and the other parts are given up."""
        assert name in self._plan.required, f"{name} is no required part"
        return self._group.create_task(self._required(work))

    def ask_optional(self, name: str, work: Coroutine[Any, Any, Value]) -> "asyncio.Task[Value | None]":
        """A part that may be missing: None, and noted among the failures."""
        assert name in self._plan.optional, f"{name} is no optional part"
        return self._group.create_task(self._required(work) if self.strict else self._optional(name, work))

    def miss(self, name: str, problem: Problem) -> None:
        """Note a missing part. With `strict`, raises the problem instead."""
        assert name in self._plan.optional, f"{name} is no optional part"
        if self.strict:
            raise problem
        self.missed.append(problem)
        self.failures.append(Failure(part=name, status=problem.status, type=problem.type, detail=problem.detail))

    async def _required(self, work: Coroutine[Any, Any, Value]) -> Value:
        try:
            return await work
        except Problem as problem:
            self._fatal.append(problem)
            raise

    async def _optional(self, name: str, work: Coroutine[Any, Any, Value]) -> Value | None:
        try:
            return await work
        except Problem as problem:
            self.miss(name, problem)
            return None

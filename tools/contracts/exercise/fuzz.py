"""Schemathesis on a service that lives: what its own ideas of right and wrong requests bring to light.

The service answers in a thread of its own, on a socket of this machine; every answer is also compared with the document by
`shared.testing.answers`. The same seed makes the same requests.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import schemathesis
from schemathesis.config import (
    ChecksConfig,
    GenerationConfig,
    NotAServerErrorConfig,
    PhasesConfig,
    PositiveDataAcceptanceConfig,
    SchemathesisConfig,
)
from schemathesis.engine import Status, events, from_schema

from shared.testing.answers import Rules, Seen, Watched
from shared.testing.serving import serving
from tools.contracts.exercise.allowed import is_fault

ACCEPTED: Final = ["2xx", "3xx", "401", "403", "404", "406", "409", "410", "412", "504"]
"""What a request may get that keeps to the document: what it asks for may not be there, or be in another state."""
REFRESH: Final = 20
"""Seconds for which the headers that say who asks are used again."""


@dataclass
class Findings:
    """What a run found. `faults` are sentences, each with a way to see it again."""

    faults: dict[str, str] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)

    def compare(self, rules: Rules) -> None:
        """Add what the document does not say of the answers."""
        for one in self.seen:
            for fault in rules.faults(one):
                self.faults.setdefault(fault, "")

    def text(self) -> str:
        return "\n".join(f"{fault}\n    {sample}" for fault, sample in self.faults.items())


@contextmanager
def living(app: Any) -> Iterator[str]:
    """The URL of an app that serves in a thread of its own for the length of the block."""
    started, stop = threading.Event(), asyncio.Event()
    told: dict[str, Any] = {}

    async def serve() -> None:
        async with serving(app) as url:
            told.update(url=url, loop=asyncio.get_running_loop())
            started.set()
            await stop.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        finally:
            started.set()

    thread = threading.Thread(target=run, name="service")
    thread.start()
    started.wait()
    try:
        yield told["url"]
    finally:
        told["loop"].call_soon_threadsafe(stop.set)
        thread.join()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is tried. Without a seed the requests are always the same; `until` is when to stop, by the monotonic clock.

    `leaves` are operations that are not called.
    """

    examples: int = 5
    phases: tuple[str, ...] = ("examples", "coverage", "fuzzing", "stateful")
    seed: int | None = None
    until: float | None = None
    leaves: tuple[str, ...] = ()


def fuzz(app: Any, headers: Callable[[], Mapping[str, str]], plan: Plan, before: Callable[[str], None] | None = None) -> Findings:
    """Let Schemathesis ask a service; `headers` say who asks. `before` is called with the service's URL before anything else."""
    found = Findings()
    document = app.extensions["openapi"]()
    app.asgi_app = Watched(app.asgi_app, found.seen)
    with living(app) as url:
        if before is not None:
            before(url)
        schema: Any = schemathesis.openapi.from_dict(document, config=_config(url, plan))
        for name in plan.leaves:
            schema = schema.exclude(operation_id=name)
        schema.auth(refresh_interval=REFRESH)(_caller(headers))
        schema.hook("filter_failure")(is_fault)
        stream = from_schema(schema).execute()
        for event in stream:
            _note(event, found)
            if plan.until is not None and time.monotonic() > plan.until:
                stream.stop()
    found.compare(Rules(document))
    return found


def _config(url: str, plan: Plan) -> SchemathesisConfig:
    config = SchemathesisConfig(seed=plan.seed or 1)
    project = config.projects.default
    project.generation = GenerationConfig(max_examples=plan.examples, deterministic=plan.seed is None, database="none")
    project.phases = PhasesConfig()
    project.phases.update(phases=list(plan.phases))
    project.checks = ChecksConfig(
        not_a_server_error=NotAServerErrorConfig(expected_statuses=["2xx", "3xx", "4xx", "504"]),
        positive_data_acceptance=PositiveDataAcceptanceConfig(expected_statuses=ACCEPTED),
    )
    project.continue_on_failure = True
    project.update(base_url=url)
    return config


def _caller(headers: Callable[[], Mapping[str, str]]) -> Any:
    class Caller:
        """Says who asks."""

        def get(self, case: Any, context: Any) -> Mapping[str, str]:
            return headers()

        def set(self, case: Any, data: Mapping[str, str], context: Any) -> None:
            case.headers = {**(case.headers or {}), **data}

    return Caller


def _note(event: Any, found: Findings) -> None:
    if isinstance(event, events.FatalError):
        raise event.exception
    if isinstance(event, events.NonFatalError):
        found.faults.setdefault(f"{event.label}: {event.value}", "; ".join(map(repr, getattr(event.value, "exceptions", ())))[:2000])
    if not isinstance(event, events.ScenarioFinished):
        return
    for case, checks in event.recorder.checks.items():
        for check in checks:
            if check.status == Status.FAILURE and check.failure_info is not None:
                failure = check.failure_info.failure
                sentence = f"{failure.operation}: {check.name}: {failure.title}: {failure.message[:400]}"
                answer = _answer(event.recorder.interactions.get(case))
                found.faults.setdefault(sentence, f"{check.failure_info.code_sample[:700]}\n    {answer}")


def _answer(interaction: Any) -> str:
    """The beginning of what was answered."""
    response = getattr(interaction, "response", None)
    return f"{response.status_code} {response.content[:400]!r}" if response is not None else "no answer"

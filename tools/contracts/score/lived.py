"""Mutants that are lived and not only judged: the service itself answers wrongly, and the whole exercise is run."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from shared.testing.answers import Rules, Seen
from tools.contracts.exercise.stage import Stage
from tools.contracts.score.mutants import Mutant
from tools.contracts.score.run import Pairs, is_caught

MakeStage = Callable[[Path], Stage]


class Faulty:
    """An ASGI layer that answers as a mutant does."""

    def __init__(self, app: Any, mutant: Mutant, rules: Rules) -> None:
        self._app = app
        self._mutant = mutant
        self._rules = rules

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen = Seen(scope["method"], scope["path"])

        async def note(message: Any) -> None:
            if message["type"] == "http.response.start":
                seen.status = message["status"]
                seen.headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in message["headers"]}
                return
            seen.body += message.get("body", b"")
            if not message.get("more_body", False):
                seen.whole = True
                await _send(self._changed(seen), send)

        await self._app(scope, receive, note)

    def _changed(self, seen: Seen) -> Seen:
        operation = self._rules.operation(seen)
        if operation is None or (operation["operationId"], seen.status) != (self._mutant.operation, self._mutant.status):
            return seen
        return self._mutant.change(seen) or seen


async def _send(seen: Seen, send: Any) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in seen.headers.items() if name != "content-length"]
    await send({"type": "http.response.start", "status": seen.status, "headers": headers})
    await send({"type": "http.response.body", "body": seen.body, "more_body": False})


async def is_red(make_stage: MakeStage, mutant: Mutant, document: Any) -> bool:
    """Whether the exercise of a service with this fault fails."""
    rules = Rules(document)
    with TemporaryDirectory() as folder:
        stage = make_stage(Path(folder))
        make_app = stage.make_app

        def make_faulty(**settings: Any) -> Any:
            app: Any = make_app(**settings)
            app.asgi_app = Faulty(app.asgi_app, mutant, rules)
            return app

        stage.make_app = make_faulty
        try:
            record = await stage.perform()
            return any(one.faults(rules) for one in record)
        except (KeyError, TypeError, AttributeError, ValueError, IndexError):  # the next request is made of an answer that is broken
            return True


async def disagreements(make_stage: MakeStage, sample: Sequence[Mutant], pairs: Pairs, document: Any) -> list[str]:
    """Of these mutants, those on which living and judging differ; each is made to show in every answer of its operation and status."""
    rules, found = Rules(document), []
    for mutant in (replace(one, about=None) for one in sample):
        lived, judged = await is_red(make_stage, mutant, document), is_caught(mutant, pairs, rules)
        if lived != judged:
            found.append(f"{mutant}: lived {'red' if lived else 'green'}, judged {'red' if judged else 'green'}")
    return found

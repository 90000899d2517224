"""The verification of a provider: each exchange of a pact is asked of the real service, in the state that it names."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
from pact import Verifier
from pact.types import Message as Sent

from tools.contracts.pacts import path_of
from tools.contracts.worlds import World

PATIENCE = 30.0


async def verify(consumer: str, world: World, pact: Path | None = None) -> str:
    """What the verifier says of a living provider; RuntimeError, with that, when it does not keep the pact."""
    loop = asyncio.get_running_loop()

    def become(state: str, action: str, parameters: dict[str, Any] | None) -> None:
        asyncio.run_coroutine_threadsafe(world.become(state), loop).result(PATIENCE)

    def produce(name: str, metadata: dict[str, Any] | None) -> Sent:
        event = asyncio.run_coroutine_threadsafe(newest(world, name), loop).result(PATIENCE)
        return Sent(contents=msgspec.json.encode(event), metadata=None, content_type="application/json")

    verifier = Verifier(world.service, host="127.0.0.1").add_source(pact or path_of(consumer, world.service))
    verifier.add_transport(url=world.url).state_handler(become, teardown=False).set_coloured_output(enabled=False)
    if consumer == "teams":
        verifier.message_handler(produce)
    try:
        await asyncio.to_thread(verifier.verify)
    except RuntimeError as error:
        raise RuntimeError(f"{world.service} does not keep its pact with {consumer}:\n{verifier.output(strip_ansi=True)}") from error
    return verifier.output(strip_ansi=True)


KINDS = {"someone was hired": "created", "someone became inactive": "updated", "someone has left": "deleted"}


async def newest(world: World, name: str) -> Any:
    """The first event of the kind that a message is about, from the feed itself."""
    events = await world.call("GET", "/v1/changes")
    return next(event for event in events if event["type"].endswith(KINDS[name]))

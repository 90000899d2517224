"""The verification of a provider: each exchange of a pact is asked of the real service, in the state that it names."""

import asyncio
import gc
import threading
import warnings
from pathlib import Path
from typing import Any, Final

import msgspec
from pact import Verifier
from pact.types import Message as Sent

from tools.contracts.pacts import path_of
from tools.contracts.worlds import World

PATIENCE: Final = 30.0
KINDS: Final = {
    "someone was hired": "created",
    "someone became inactive": "updated",
    "someone was erased": "updated",
    "someone has left": "deleted",
}
"""What each message of a pact is about, in the words of the feed."""


class PactBroken(Exception):
    """The provider does not keep the pact; the message is the verifier's report."""


async def verify(consumer: str, world: World, pact: Path | None = None) -> str:
    """The verifier's report on a provider that lives. Raises PactBroken, or what a state raised that could not be set up."""
    loop = asyncio.get_running_loop()
    faults: list[Exception] = []

    def become(state: str, action: str, parameters: dict[str, Any] | None) -> None:
        try:
            asyncio.run_coroutine_threadsafe(world.become(state), loop).result(PATIENCE)
        except Exception as error:  # raised below: the verifier waits for ever behind a state that failed
            faults.append(error)

    def produce(name: str, metadata: dict[str, Any] | None) -> Sent:
        event = asyncio.run_coroutine_threadsafe(_newest(world, name), loop).result(PATIENCE)
        return Sent(contents=msgspec.json.encode(event), metadata=None, content_type="application/json")

    report, kept = await asyncio.to_thread(_verified, consumer, world, pact or path_of(consumer, world.service), become, produce)
    if faults:
        raise faults[0]
    if not kept:
        raise PactBroken(f"{world.service} does not keep its pact with {consumer}:\n{report}")
    return report


def _verified(consumer: str, world: World, pact: Path, become: Any, produce: Any) -> tuple[str, bool]:
    """The report, and whether the pact is kept.

    The library leaves its helpers' sockets to the collector. The verifier is known to nobody but this function, so that they are gone when
    it returns, and not found open in the middle of another test.
    """
    verifier = Verifier(world.service, host="127.0.0.1").add_source(pact)
    verifier.add_transport(url=world.url).state_handler(become, teardown=False).set_coloured_output(enabled=False)
    if consumer == "teams":
        verifier.message_handler(produce)
    try:
        verifier.verify()
        kept = True
    except RuntimeError:
        kept = False
    report = verifier.output(strip_ansi=True)
    for thread in threading.enumerate():
        if thread.name.endswith("(process_request_thread)"):  # one that still answers holds its server
            thread.join(PATIENCE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        del verifier
        gc.collect()
    return report, kept


async def _newest(world: World, name: str) -> Any:
    """The first event of the kind that a message is about, from the feed itself."""
    events = await world.call("GET", "/v1/changes")
    return next(event for event in events if event["type"].endswith(KINDS[name]))

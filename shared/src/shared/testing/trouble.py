"""Routes that misbehave on demand, to see what the rest makes of it."""

import asyncio
import math
from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from quart import Blueprint, Response

from shared.bodies import UploadStream
from shared.operations import PUBLIC, Upload, operation
from shared.responses import respond, stream

routes = Blueprint("trouble", __name__)
ended: list[str] = []  # what was cancelled, by name


class Slowly(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    seconds: Annotated[int, msgspec.Meta(ge=0, le=60)] = 30


@routes.get("/v1/slow")
@operation(allow=PUBLIC, query=Slowly)
async def slow(query: Slowly) -> Response:
    """Takes its time."""
    return await _wait("slow", query.seconds)


@routes.get("/v1/patient")
@operation(allow=PUBLIC, query=Slowly, budget=60.0, waits=True)
async def patient(query: Slowly) -> Response:
    """A long poll."""
    return await _wait("patient", query.seconds)


@routes.get("/v1/boom")
@operation(allow=PUBLIC)
async def boom() -> Response:
    """Fails in a way that nobody expected."""
    raise RuntimeError("secret: the words that must not leave")


@routes.post("/v1/upload")
@operation(allow=PUBLIC, body=Upload, body_types=("application/octet-stream",), budget=math.inf)
async def upload(body: UploadStream) -> Response:
    """Reads a body, a pause after each chunk."""
    size = 0
    async for chunk in body:
        size += len(chunk)
        await asyncio.sleep(0.0005)
    return respond({"size": size})


@routes.get("/v1/stream")
@operation(allow=PUBLIC, budget=math.inf)
async def endless() -> Response:
    """Never ends by itself."""
    return stream(_endless(), "application/octet-stream")


@routes.get("/v1/ended")
@operation(allow=PUBLIC)
async def list_ended() -> Response:
    """What was cancelled so far."""
    return respond({"items": ended})


async def _endless() -> AsyncIterator[bytes]:
    try:
        while True:
            yield b"x" * 1024
            await asyncio.sleep(0.01)
    finally:
        ended.append("stream")


async def _wait(name: str, seconds: float) -> Response:
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        ended.append(name)
        raise
    return respond({"slept": seconds})

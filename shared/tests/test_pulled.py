"""Bodies, and what comes after them."""

from collections.abc import Iterator
from typing import Any

import pytest

from shared.pulled import until_disconnected

PART, LAST, GONE = {"type": "http.request", "more_body": True}, {"type": "http.request"}, {"type": "http.disconnect"}


@pytest.mark.parametrize("messages", [[GONE], [LAST, GONE], [PART, PART, LAST, GONE]])
async def test_what_is_left_is_thrown_away(messages: list[Any]) -> None:
    assert await until_disconnected(_server(iter(messages)))


async def test_a_server_that_never_waits_is_not_asked_for_ever() -> None:
    assert not await until_disconnected(_server(iter([PART, *[LAST] * 3])))


def _server(messages: Iterator[Any]) -> Any:
    async def receive() -> Any:
        return next(messages)

    return receive

"""Conditions of requests (RFC 9110, section 13)."""

import asyncio
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quart import Quart

from shared.errors import BadRequest, PreconditionFailed
from shared.etags import if_match, not_modified

APP = Quart(__name__)


async def holds(header: str | None, version: int = 7) -> bool:
    """Whether an If-Match holds for a version."""
    async with APP.test_request_context("/", headers={} if header is None else {"If-Match": header}):
        try:
            if_match().check(version)
        except PreconditionFailed:
            return False
        return True


@pytest.mark.parametrize("header", [None, "*", '"7"', '"6", "7"', '"6","7",', ' , "7"', '"a,b", "7"'])
async def test_it_holds(header: str | None) -> None:
    assert await holds(header)


@pytest.mark.parametrize("header", ['"6"', 'W/"7"', '"77"', '""', '"07"', '"6", W/"7"'])
async def test_it_does_not_hold(header: str) -> None:
    assert not await holds(header)


@pytest.mark.parametrize("header", ["7", '"7', 'w/"7"', '"7" "8"', "", ",", '"7"x', '*, "7"', '"' + "x" * 5000 + '"', " " * 3000 + "x"])
async def test_it_is_malformed(header: str) -> None:
    with pytest.raises(BadRequest):
        await holds(header)


@pytest.mark.parametrize(("header", "known"), [('"7"', True), ('W/"7"', True), ('"6", W/"7"', True), ("*", True), ('"6"', False)])
async def test_a_reader_that_knows_the_version_gets_no_body(header: str, known: bool) -> None:
    async with APP.test_request_context("/", headers={"If-None-Match": header}):
        assert (not_modified(7) is not None) is known


@given(st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=40))
def test_no_header_breaks_it(header: str) -> None:
    async def ask() -> None:
        with contextlib.suppress(BadRequest):
            await holds(header)

    asyncio.run(ask())

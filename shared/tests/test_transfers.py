"""Exports: their rows are held no longer than somebody reads."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from quart import Quart

from shared.errors import NotFound
from shared.transfers import ExportQuery, export_table

APP = Quart(__name__)


async def endless(ends: list[str]) -> AsyncGenerator[list[tuple[str]], None]:
    """Rows without an end, which tell when they are closed."""
    try:
        while True:
            yield [("a",)]
    finally:
        ends.append("closed")


@pytest.mark.parametrize("taken", [0, 1, 3])
async def test_rows_are_closed_with_the_answer_also_when_nobody_reads_it(taken: int) -> None:
    ends: list[str] = []
    pages = endless(ends)  # held here, so that nothing but the answer can close them
    async with APP.test_request_context("/"):
        body: Any = (await export_table(ExportQuery(), "rows", ("name",), pages)).response
    async with body:
        chunks = aiter(body)
        found = [await anext(chunks) for _ in range(taken)]
        assert ends == []
    assert ends == ["closed"]
    assert b"".join(found) == (b"name\r\n" + b"a\r\n" * taken if taken else b"")


async def test_what_goes_wrong_with_the_first_rows_is_no_half_table() -> None:
    async def pages() -> AsyncGenerator[list[tuple[str]], None]:
        for _ in range(1):
            raise NotFound("no rows")
        yield []

    async with APP.test_request_context("/"):
        with pytest.raises(NotFound):
            await export_table(ExportQuery(), "rows", ("name",), pages())

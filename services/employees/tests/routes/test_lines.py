"""Reporting lines: reports down to a depth, managers up."""

from typing import Any

import pytest_asyncio


@pytest_asyncio.fixture
async def tree(api: Any) -> Any:
    """1 ─ 2 ─ 4 ─ 6, 1 ─ 3 ─ 5."""
    for number, manager in ((1, None), (2, 1), (3, 1), (4, 2), (5, 3), (6, 4)):
        await api.add(f"e{number}", manager)
    return api


def placed(items: list[dict[str, Any]]) -> list[tuple[int, int]]:
    return [(item["id"], item["depth"]) for item in items]


async def test_reports_are_direct_without_a_depth(tree: Any) -> None:
    assert placed((await tree("GET", "/v1/employees/1/reports")).items) == [(2, 1), (3, 1)]
    assert (await tree("GET", "/v1/employees/6/reports")).items == []


async def test_reports_to_a_depth_come_nearest_first(tree: Any) -> None:
    assert placed((await tree("GET", "/v1/employees/1/reports?depth=2")).items) == [(2, 1), (3, 1), (4, 2), (5, 2)]
    answer = await tree("GET", "/v1/employees/1/reports?depth=50&count=true")
    assert placed(answer.items) == [(2, 1), (3, 1), (4, 2), (5, 2), (6, 3)]
    assert answer.json["total"] == 5


async def test_lines_are_paged(tree: Any) -> None:
    for path, found in (
        ("/v1/employees/1/reports?depth=9&limit=2", [(2, 1), (3, 1), (4, 2), (5, 2), (6, 3)]),
        ("/v1/employees/1/reports?limit=1", [(2, 1), (3, 1)]),
        ("/v1/employees/6/managers?limit=1", [(4, 1), (2, 2), (1, 3)]),
        ("/v1/employees/6/managers?limit=2", [(4, 1), (2, 2), (1, 3)]),
        ("/v1/employees/6/managers?limit=3", [(4, 1), (2, 2), (1, 3)]),
    ):
        assert placed(await tree.walk(path)) == found, path


async def test_managers_come_nearest_first(tree: Any) -> None:
    answer = await tree("GET", "/v1/employees/6/managers?fields=depth,username")
    assert answer.json == {
        "items": [{"username": "e4", "depth": 1}, {"username": "e2", "depth": 2}, {"username": "e1", "depth": 3}],
        "next": None,
    }


async def test_a_cursor_of_another_line_is_refused(tree: Any) -> None:
    cursor = (await tree("GET", "/v1/employees/1/reports?depth=2&limit=1")).json["next"]
    for path in (
        "/v1/employees/1/reports?depth=3",
        "/v1/employees/2/reports?depth=2",
        "/v1/employees/1/reports",
        "/v1/employees/6/managers",
    ):
        answer = await tree("GET", f"{path}{'&' if '?' in path else '?'}cursor={cursor}")
        assert (answer.status, answer.fields) == (400, ["cursor"]), path


async def test_a_depth_out_of_bounds_names_it(tree: Any) -> None:
    for depth in ("0", "51", "x", "-1", "9" * 30):
        answer = await tree("GET", f"/v1/employees/1/reports?depth={depth}")
        assert (answer.status, answer.fields) == (400, ["depth"])

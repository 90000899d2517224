"""Addresses by name."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clients import EMPLOYEES, UPSTREAMS, Ask, Team, Upstream
from gateway.resilience import Calls
from shared.identity import Caller
from shared.pool import Pool

CALLS = Calls(Pool("http://127.0.0.1:1"), Pool("http://127.0.0.1:1"))


@pytest.fixture(scope="module")
def employees() -> Upstream:
    return Upstream("employees", EMPLOYEES, CALLS, lambda caller: "x")


def test_an_operation_and_its_ids_make_a_path(employees: Upstream) -> None:
    assert employees.url_for("get_employee", employee_id=7) == "/v1/employees/7"
    assert employees.url_for("list_employees", {"id": [1, 2], "q": "a b&c=d", "limit": 5}) == "/v1/employees?id=1,2&q=a+b%26c%3Dd&limit=5"


async def test_only_what_a_rule_names_is_asked_and_read(employees: Upstream) -> None:
    with pytest.raises(ValueError, match="name them in its rule"):
        employees.url_for("list_employees", {"id": 1, "nickname": "x"})
    with pytest.raises(ValueError, match="name it in its rule"):
        await employees.get(Ask(Caller("account:1", "ada", "viewer", "gateway"), "1", "", None), "get_employee", Team, employee_id=7)


@pytest.mark.parametrize("value", ["7", "..", "7/..", None, True, 1.0, -1, 2**63])
def test_only_an_id_stands_in_a_path(employees: Upstream, value: Any) -> None:
    with pytest.raises(ValueError):
        employees.url_for("get_employee", employee_id=value)


@pytest.mark.parametrize(
    ("operation", "ids"), [("drop_employee", {}), ("get_employee", {}), ("get_employee", {"team_id": 1}), ("list_changes", {})]
)
def test_what_the_owner_has_not_has_no_address(employees: Upstream, operation: str, ids: dict[str, int]) -> None:
    with pytest.raises(ValueError):
        employees.url_for(operation, **ids)


@given(st.integers(0, 2**63 - 1), st.text(max_size=30))
def test_no_value_leaves_its_place(id_: int, text: str) -> None:
    employees = Upstream("employees", EMPLOYEES, CALLS, lambda caller: "x")
    path, _, query = employees.url_for("list_reports", {"cursor": text.encode("utf-8", "replace").decode()}, employee_id=id_).partition("?")
    assert path == f"/v1/employees/{id_}/reports"
    assert query.startswith("cursor=")
    assert set(query.removeprefix("cursor=")) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%+-_.~,")


def test_names_are_told_apart_by_service() -> None:
    for rules in UPSTREAMS.values():
        names = [rule.name for rule in rules]
        assert len(names) == len(set(names))

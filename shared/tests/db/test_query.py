"""Binding: many rows at once are bound as one by one."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Column, MetaData, Table, Text, insert

from shared.db import InvalidParameter, Query

things = Table("things", MetaData(), Column("id", BigInteger, primary_key=True), Column("name", Text), Column("other", Text))
ADD = Query(insert(things)).compiled("sqlite")
cells = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text() | st.binary(max_size=3) | st.just("\\u0000")
rows = st.lists(st.fixed_dictionaries({"id": cells, "name": cells, "other": cells}), min_size=1, max_size=4)


@given(rows)
def test_many_rows_are_bound_as_one_by_one(rows: list[dict[str, Any]]) -> None:
    assert outcome(lambda: [tuple(row) for row in ADD.bind_many(rows)]) == outcome(lambda: [tuple(ADD.bind(row)) for row in rows])


def outcome(bind: Callable[[], Any]) -> Any:
    """What is bound, or the parameter that is refused."""
    try:
        return bind()
    except InvalidParameter as error:
        return error.parameter


@pytest.mark.parametrize("row", [{"id": 1}, {"id": 1, "name": "a", "other": "b", "more": 1}])
def test_rows_with_other_names_are_refused(row: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        ADD.bind_many([{"id": 1, "name": "a", "other": "b"}, row][::-1])

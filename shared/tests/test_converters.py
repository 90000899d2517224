"""A path means one thing: what is built is matched, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import NotFound
from werkzeug.routing import Map, Rule

from shared.converters import MAX_ID, install

MAP = Map()
install(MAP)
MAP.add(Rule("/n/<int:id>", endpoint="number"))
MAP.add(Rule("/s/<name:name>", endpoint="name"))
ADAPTER = MAP.bind("")


@given(st.integers(0, MAX_ID))
def test_every_id_goes_there_and_back(number: int) -> None:
    assert ADAPTER.match(ADAPTER.build("number", {"id": number})) == ("number", {"id": number})


@given(st.one_of(st.text(max_size=30), st.integers().filter(lambda n: not 0 <= n <= MAX_ID).map(str)))
def test_nothing_else_is_an_id(text: str) -> None:
    if text.isascii() and text.isdigit() and str(int(text)) == text and int(text) <= MAX_ID:
        return
    with pytest.raises(NotFound):
        ADAPTER.match("/n/" + text)


@pytest.mark.parametrize("text", ["a", "a-b", "7", "a" * 64])
def test_names(text: str) -> None:
    assert ADAPTER.match(ADAPTER.build("name", {"name": text})) == ("name", {"name": text})


@pytest.mark.parametrize("text", ["", "-a", "a-", "A", "a.b", "..", "a/b", "é", "a" * 65, "a b", "a\n"])
def test_no_names(text: str) -> None:
    with pytest.raises(NotFound):
        ADAPTER.match("/s/" + text)


def test_what_is_no_id_is_not_built() -> None:
    for number in (-1, MAX_ID + 1):
        with pytest.raises(ValueError, match="no id"):
            ADAPTER.build("number", {"id": number})

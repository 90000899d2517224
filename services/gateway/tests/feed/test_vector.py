"""The cursor of the merged feed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.feed import Vector
from shared.errors import BadRequest

PLACES = st.none() | st.builds("{}.{}".format, st.from_regex(r"[0-9a-zA-Z]{1,64}", fullmatch=True), st.integers(0, 10**18 - 1))


@given(st.builds(Vector, PLACES, PLACES))
def test_what_is_written_is_read(vector: Vector) -> None:
    assert Vector.parse(str(vector), "after") == vector


@pytest.mark.parametrize(
    "text", ["", "~", "-", "a.1", "a.1~", "a.1~b.2~c.3", "a.1~b.-2", "a.1~b.2\n", "a.1~b.\u0663", "a.1~b.0000000000000000001"]
)
def test_nothing_else_is_taken(text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        Vector.parse(text, "after")
    assert caught.value.errors[0].field == "after"


def test_each_service_has_a_place_of_its_own() -> None:
    at = Vector().at("teams", "t.3").at("employees", "e.1")
    assert (at.of("employees"), at.of("teams"), str(at)) == ("e.1", "t.3", "e.1~t.3")
    assert str(at.at("employees", None)) == "-~t.3"

"""The schemas: what a text, a username, an address may be."""

import msgspec
import pytest

from employees.models import FIELDS, WRITABLE
from employees.schemas import Email, Employee, EmployeeBody, EmployeePatch, Line, Username


@pytest.mark.parametrize("text", ["a", "Ångström", "a b", "日本", "x" * 200, "🙂"])
def test_a_line_is_one_line(text: str) -> None:
    assert msgspec.convert(text, Line) == text


@pytest.mark.parametrize("text", ["", " ", " a", "a ", "a\n", "\na", "a\nb", "a\x00", "a\tb", "a\u2028b", "a\x85b", "x" * 201])
def test_what_is_no_line_is_refused(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(text, Line)


@pytest.mark.parametrize("text", ["", "a b", "a,b", "a\n", "\u00a0", "x" * 129])
def test_what_is_no_username_is_refused(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(text, Username)


@pytest.mark.parametrize("text", ["", "a", "@b", "a@", "a@b@c", "a b@c", "a@b\n", "<a@b>"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(text, Email)


def test_a_patch_has_the_fields_of_a_body_and_an_answer_more() -> None:
    assert EmployeePatch.__struct_fields__ == EmployeeBody.__struct_fields__ == WRITABLE
    assert set(Employee.__struct_fields__) - set(WRITABLE) == {"id", "version", "created_at", "updated_at"}
    assert Employee.__struct_fields__ == FIELDS  # records become answers by position
    assert FIELDS[0] == "id"

"""The error tree."""

from shared.errors import BY_STATUS, FieldError, Invalid, Overloaded, Problem, problem_of_status


def test_every_status_has_one_problem_and_every_type_is_its_own() -> None:
    kinds = list(BY_STATUS.values())
    assert len({kind.slug for kind in kinds}) == len(kinds) >= 18


def test_a_document_has_all_its_members() -> None:
    found = Invalid("two things", errors=[FieldError("a", "x"), FieldError("b.0", "y")], count=2).document("id-1", "/here")
    assert found == {
        "type": "urn:roster:problem:invalid",
        "title": "Unprocessable Content",
        "status": 422,
        "detail": "two things",
        "instance": "/here",
        "code": 422,
        "description": "two things",
        "message": "422 Unprocessable Content: two things",
        "request_id": "id-1",
        "errors": [{"field": "a", "message": "x"}, {"field": "b.0", "message": "y"}],
        "count": 2,
    }


def test_a_problem_of_one_field() -> None:
    assert Invalid.of("name", "too long").document(None, None)["errors"] == [{"field": "name", "message": "too long"}]


def test_overload_says_when_to_come_back() -> None:
    assert Overloaded(retry_after=3).headers == {"Retry-After": "3"}


def test_any_status_becomes_a_problem() -> None:
    for status in (400, 404, 416, 418, 451, 501, 505):
        found = problem_of_status(status)
        assert isinstance(found, Problem)
        assert found.document(None, None)["status"] == status
        assert " " not in found.type

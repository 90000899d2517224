"""An operation that will end says so: in its answers and in the document."""

from datetime import date
from typing import Any

import pytest
from quart import Blueprint, Response

from shared.config import ServiceSettings
from shared.deprecation import notices
from shared.operations import READ, operation
from shared.responses import respond
from shared.service import create_service
from shared.testing.answers import checked
from shared.testing.calls import Calls

OLD = Blueprint("old", __name__)


@OLD.get("/v1/old")
@operation(allow=READ, responses={200: dict[str, Any]}, deprecated=date(2026, 9, 1), sunset=date(2027, 3, 1))
async def read_old() -> Response:
    """What is no longer the way."""
    return respond({"answer": 42})


@OLD.get("/v1/lasting")
@operation(allow=READ, responses={200: dict[str, Any]})
async def read_lasting() -> Response:
    """What stays."""
    return respond({"answer": 42})


async def test_the_answer_says_since_when_and_until_when() -> None:
    app = create_service("things", ServiceSettings(port=8009, database_url="sqlite:///unused.db", open=True), [OLD])
    async with checked(app):
        answer = await Calls(app)("GET", "/v1/old")
        assert (answer.headers["Deprecation"], answer.headers["Sunset"]) == ("@1788220800", "Mon, 01 Mar 2027 00:00:00 GMT")
        assert "Deprecation" not in (await Calls(app)("GET", "/v1/lasting")).headers
    paths = app.extensions["openapi"]()["paths"]
    assert paths["/v1/old"]["get"]["deprecated"] is True
    assert {"Deprecation", "Sunset"} <= paths["/v1/old"]["get"]["responses"]["200"]["headers"].keys()
    assert "deprecated" not in paths["/v1/lasting"]["get"]


def test_an_end_needs_a_deprecation_before_it() -> None:
    assert notices(None, None) == {}
    assert notices(date(2026, 9, 1), None).keys() == {"Deprecation"}
    with pytest.raises(ValueError, match="since when"):
        notices(None, date(2027, 3, 1))
    with pytest.raises(ValueError, match="before it is deprecated"):
        notices(date(2026, 9, 1), date(2026, 8, 31))

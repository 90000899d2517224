"""What was released is kept: every released document of the current major version, and today's, against the services of today."""

import copy
from pathlib import Path
from typing import Any

import pytest

from tools.contracts.differences import compare
from tools.contracts.documents import REQUESTS, SERVICES, current, load, today
from tools.contracts.replay import living, replay

TODAY = "today"
PROMISES = [(service, version) for service in SERVICES for version in (*current(service), TODAY)]


@pytest.fixture(scope="module")
def documents() -> dict[str, Any]:
    """Today's document of each service."""
    return {service: today(service) for service in SERVICES}


def promised(service: str, version: str, documents: dict[str, Any]) -> Any:
    return documents[service] if version == TODAY else load(current(service)[version])


@pytest.mark.parametrize(("service", "version"), PROMISES)
def test_nothing_that_was_promised_is_taken_back(service: str, version: str, documents: dict[str, Any]) -> None:
    found = compare(promised(service, version, documents), documents[service])
    assert [str(one) for one in found if one.breaking] == []


@pytest.mark.parametrize(("service", "version"), PROMISES)
async def test_the_requests_of_a_release_are_answered_as_it_says(
    service: str, version: str, documents: dict[str, Any], tmp_path: Path
) -> None:
    document = promised(service, version, documents)
    if not document[REQUESTS]:
        pytest.skip(f"{service} has no examples")
    async with living(service, tmp_path) as client:
        assert await replay(document, client) == []


async def test_a_service_that_breaks_its_promise_is_found_out(documents: dict[str, Any], tmp_path: Path) -> None:
    """As if an older release had promised a field that is a number now, one that is gone, and another status."""
    document = copy.deepcopy(documents["employees"])
    employee = document["components"]["schemas"]["Employee"]
    employee["properties"]["username"] = {"type": "integer", "minimum": 1}
    employee["properties"]["nickname"] = {"type": "string"}
    employee["required"].append("nickname")
    next(one for one in document[REQUESTS] if one["operation"] == "delete_employee")["status"] = 200
    async with living("employees", tmp_path) as client:
        found = "\n".join(await replay(document, client))
    assert "nickname" in found
    assert "is not of type 'integer'" in found
    assert "delete_employee: answers 204, promised was 200" in found

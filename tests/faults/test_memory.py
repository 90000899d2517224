"""A large upload leaves a service's memory flat, whether its rows are taken or refused, also when it comes in fits and starts."""

import os
import time
from collections.abc import Iterator

import httpx
import pytest

from shared.testing.memory import Growth
from shared.testing.processes import Roster

SIZE = int(os.environ.get("ROSTER_UPLOAD_MB", "100")) * 10**6
"""Bytes of the upload; 400 MB by hand."""
MOST = 100 * 2**20
COLUMNS = "username,email,display_name,title,department,division,location,external_id"

pytestmark = pytest.mark.timeout(600)


def people(*, good: bool) -> Iterator[bytes]:
    """Rows of about 1.3 kB, a pause now and then; when they are not good, each has a display name that is too long."""
    yield f"{COLUMNS}\n".encode()
    text = "x" * (200 if good else 201)
    size = number = 0
    while size < SIZE:
        lines = [
            f"u{n},u{n}@roster.example,{text},{'t' * 199},{'d' * 199},{'v' * 199},{'l' * 199},{'e' * 199}\n"
            for n in range(number, number + 100)
        ]
        piece = "".join(lines).encode()
        number += 100
        size += len(piece)
        yield piece
        if number % 10_000 == 0:
            time.sleep(0.2)


@pytest.mark.parametrize(("through", "good"), [("service", True), ("gateway", False)], ids=["taken", "refused"])
def test_an_upload_leaves_memory_flat(roster: Roster, through: str, good: bool) -> None:
    roster.start("employees", "gateway")
    url, headers = {
        "service": (roster.employees.url, {"Authorization": roster.bearer("employees")}),
        "gateway": (roster.gateway.url, {"Cookie": roster.log_in()}),
    }[through]
    httpx.get(f"{url}/v1/employees", headers=headers).raise_for_status()
    with Growth(roster.employees.pid) as service, Growth(roster.gateway.pid) as gateway:
        headers["Content-Type"] = "text/csv"
        answer = httpx.post(f"{url}/v1/employees/import", content=people(good=good), headers=headers, timeout=500)
    report = answer.raise_for_status().json()
    assert (report["created"] > 0, report["refused"] > 0) == (good, not good)
    assert max(service.bytes, gateway.bytes) < MOST

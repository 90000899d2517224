"""Erasing someone: an inactive stub stays, everything else is gone from every table and from the database's files."""

import datetime
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from employees.store import AUDIT
from shared.testing.callers import Signer

SIGNER = Signer()
SECRET = {
    "username": "zqzq-mary",
    "email": "zqzq-mary@zqzq-mail.example",
    "given_name": "Zqzq-Mary",
    "family_name": "Zqzq-Shelley",
    "display_name": "Zqzq-Mary W. Zqzq-Shelley",
    "title": "Zqzq-Novelist",
    "department": "Zqzq-Letters",
    "division": "Zqzq-Gothic",
    "cost_center": "Zqzq-17",
    "employee_number": "Zqzq-1818",
    "phone": "+44 zqzq 1797",
    "location": "Zqzq-Geneva",
    "hired_on": "1816-06-16",
    "left_on": "1851-02-01",
    "external_id": "zqzq-external",
}
TRACES = ("zqzq", "1816-06-16", "1851-02-01")
"""Long enough not to come about by chance in a file's checksums, as two letters did."""


class Office:
    """The service with callers who say who they are."""

    def __init__(self, api: Any) -> None:
        self.api = api
        self.db = api.app.extensions["db"]

    async def __call__(self, method: str, path: str, json: Any = None, *, role: str = "admin", **headers: str) -> Any:
        return await self.api(method, path, json, headers={**SIGNER.headers("employees", role), **headers})

    async def add(self, username: str, **fields: Any) -> int:
        answer = await self("POST", "/v1/employees", {"username": username, "email": f"{username}@example.org", **fields})
        assert answer.status == 201, answer.body
        return int(answer.json["id"])

    async def intact(self) -> bool:
        return (await AUDIT.check(self.db)).intact

    def traces(self) -> list[str]:
        """Where in the database anything of the secret person still is: its files, or for PostgreSQL its tables."""
        texts = dict(files(self.db.url) if self.db.dialect == "sqlite" else tables(self.db.url))
        return [f"{trace} in {place}" for place, text in texts.items() for trace in TRACES if trace.encode() in text.lower()]


def files(url: str) -> Iterator[tuple[str, bytes]]:
    path = Path(url.removeprefix("sqlite:///"))
    yield from ((one.name, one.read_bytes()) for one in path.parent.glob(f"{path.name}*"))


def tables(url: str) -> Iterator[tuple[str, bytes]]:
    with psycopg.connect(url) as connection:
        for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall():
            rows = connection.execute(f'SELECT t::text FROM "{name}" t').fetchall()
            yield name, repr(rows).encode()


@pytest_asyncio.fixture
async def office(database_url: str, make_api: Any) -> AsyncIterator[Office]:
    async with make_api(database_url, open=False, identity_keys=SIGNER.public_keys) as api:
        yield Office(api)


async def mary(office: Office) -> int:
    """Someone with a past: under a key, with changes, found by a search, with a report and a manager."""
    boss = await office.add("boss")
    body = {**SECRET, "manager_id": boss}
    answer = await office("POST", "/v1/employees", body, **{"Idempotency-Key": "add-zqzq-mary"})
    assert answer.status == 201, answer.body
    id_ = int(answer.json["id"])
    await office("PATCH", f"/v1/employees/{id_}", {"title": "Zqzq-Author", "display_name": "Zqzq-Mary"})
    await office("PATCH", f"/v1/employees/{id_}", {"title": None, "family_name": "Zqzq-Godwin"})
    await office.add("report", manager_id=id_)
    assert office.traces()
    return id_


async def test_an_inactive_stub_stays_and_nothing_else(office: Office) -> None:
    id_ = await mary(office)
    refused = await office("POST", f"/v1/employees/{id_}/erase")
    assert (refused.status, refused.json["reports"]) == (409, 1)
    assert (await office("POST", f"/v1/employees/{id_}/erase?reassign_reports_to=1")).status == 204
    stub = (await office("GET", f"/v1/employees/{id_}")).json
    assert (stub["username"], stub["email"], stub["status"]) == (f"erased-{id_}", f"erased-{id_}@erased.invalid", "inactive")
    kept = ("id", "username", "email", "status", "version", "created_at", "updated_at")
    assert {name: value for name, value in stub.items() if name not in kept and value is not None} == {}
    assert (await office("GET", "/v1/employees?username=report")).items[0]["manager_id"] == 1
    for found in ("q=zqzq", "q=shelley", "username=zqzq-mary", "email=zqzq-mary@zqzq-mail.example", "department=Zqzq-Letters"):
        assert (await office("GET", f"/v1/employees?{found}")).items == []
    assert (await office("GET", f"/v1/employees?q=erased-{id_}")).items == [stub]
    assert office.traces() == []
    assert await office.intact()


async def test_an_account_of_the_same_name_is_forgotten_and_no_other(office: Office) -> None:
    id_ = await mary(office)
    theirs = SIGNER.headers("employees", "admin", subject="ZQZQ-Mary")
    assert (await office("PATCH", "/v1/employees/1", {"title": "Boss"}, **theirs)).status == 200
    assert (await office("GET", "/v1/employees/1/history?limit=1")).items[0]["actor_name"] == "ZQZQ-Mary"
    await office("POST", f"/v1/employees/{id_}/erase?reassign_reports_to=1")
    names = [entry["actor_name"] for entry in (await office("GET", "/v1/employees/1/history")).items]
    assert names == [None, "account:1"]


async def test_erasing_twice_changes_nothing(office: Office) -> None:
    id_ = await office.add("zqzq-mary")
    for _ in range(2):
        assert (await office("POST", f"/v1/employees/{id_}/erase")).status == 204
        assert len((await office("GET", "/v1/audit?entity=employee")).items) == 2


async def test_who_was_erased_is_not_filled_again(office: Office) -> None:
    id_ = await office.add("zqzq-mary")
    await office("POST", f"/v1/employees/{id_}/erase")
    stub = (await office("GET", f"/v1/employees/{id_}")).json
    assert (await office("PATCH", f"/v1/employees/{id_}", {"title": "back", "status": "active"})).status == 409
    assert (await office("PUT", f"/v1/employees/{id_}", {"username": "mary", "email": "mary@example.org"})).status == 409
    headers = {**SIGNER.headers("employees", "admin"), "Content-Type": "text/csv"}
    for cell, counts in (("inactive", ("unchanged", "refused")), ("active", ("refused", "unchanged"))):
        table = f"username,status\nerased-{id_},{cell}\n".encode()
        told = (await office.api("POST", "/v1/employees/import", data=table, headers=headers)).json
        assert (told[counts[0]], told[counts[1]]) == (1, 0)
    assert (await office("GET", f"/v1/employees/{id_}")).json == stub
    assert (await office("PATCH", f"/v1/employees/{id_}", {"status": "inactive"})).status == 200
    assert (await office("DELETE", f"/v1/employees/{id_}")).status == 204


async def test_a_repeated_post_tells_of_the_stub(office: Office) -> None:
    """It must not make the same person again, nor tell of them."""
    body, key = {**SECRET}, {"Idempotency-Key": "zqzq-key"}
    first = await office("POST", "/v1/employees", body, **key)
    await office("POST", "/v1/employees/1/erase")
    again = await office("POST", "/v1/employees", body, **key)
    assert (first.status, again.status, again.headers["Idempotency-Replayed"]) == (201, 201, "true")
    assert again.json == (await office("GET", "/v1/employees/1")).json
    assert office.traces() == []


async def test_the_feed_tells_of_the_erasure_and_of_nobody(office: Office) -> None:
    id_ = await office.add("zqzq-mary", title="Zqzq-Novelist")
    await office("PATCH", f"/v1/employees/{id_}", {"title": "Zqzq-Author"})
    await office("POST", f"/v1/employees/{id_}/erase")
    answer = await office("GET", "/v1/changes")
    assert b"zqzq" not in answer.body.lower()
    assert [event["type"].rpartition(".")[2] for event in answer.json] == ["created", "updated", "updated"]
    assert [event.get("erased", False) for event in answer.json] == [False, False, True]
    assert [event["data"]["username"] for event in answer.json] == [f"erased-{id_}"] * 3


async def test_someone_who_was_deleted_can_be_erased(office: Office) -> None:
    id_ = await mary(office)
    await office("DELETE", f"/v1/employees/{id_}?reassign_reports_to=none")
    assert office.traces()
    for _ in range(2):
        assert (await office("POST", f"/v1/employees/{id_}/erase")).status == 204
    assert (await office("GET", f"/v1/employees/{id_}")).status == 404
    assert office.traces() == []
    assert await office.intact()
    event = (await office("GET", "/v1/changes")).json[-1]
    assert (event["type"], event["data"], event["erased"]) == ("roster.employee.deleted", None, True)


async def test_who_is_erased_can_come_back_as_someone_new(office: Office) -> None:
    id_ = await office.add("zqzq-mary")
    await office("POST", f"/v1/employees/{id_}/erase")
    assert await office.add("zqzq-mary") == id_ + 1


async def test_nobody_is_erased_who_is_not_there_or_by_who_may_not(office: Office) -> None:
    await office.add("ada")
    assert (await office("POST", "/v1/employees/9/erase")).status == 404
    for role in ("viewer", "editor"):
        assert (await office("POST", "/v1/employees/1/erase", role=role)).status == 403
    assert (await office("POST", "/v1/employees/1/erase?reassign_reports_to=x")).fields == ["reassign_reports_to"]
    assert (await office("GET", "/v1/employees/1")).json["username"] == "ada"


async def test_the_name_of_a_stub_that_somebody_took_is_a_conflict(office: Office) -> None:
    await office.add("erased-2")
    await office.add("zqzq-mary")
    refused = await office("POST", "/v1/employees/2/erase")
    assert (refused.status, refused.fields) == (409, ["username"])
    assert (await office("GET", "/v1/employees/2")).json["username"] == "zqzq-mary"
    await office("PATCH", "/v1/employees/1", {"username": "other"})
    assert (await office("POST", "/v1/employees/2/erase")).status == 204


async def test_an_import_names_someone_erased_as_someone_new(office: Office) -> None:
    id_ = await office.add("zqzq-mary")
    await office("POST", f"/v1/employees/{id_}/erase")
    table = b"username,email\nzqzq-mary,m@example.org\n"
    report = await office.api(
        "POST", "/v1/employees/import", data=table, headers={**SIGNER.headers("employees", "editor"), "Content-Type": "text/csv"}
    )
    assert report.json["created"] == 1
    exported = await office("GET", "/v1/employees/export")
    again = await office.api(
        "POST", "/v1/employees/import", data=exported.body, headers={**SIGNER.headers("employees", "editor"), "Content-Type": "text/csv"}
    )
    assert (again.json["unchanged"], again.json["refused"]) == (2, 0)


async def test_an_erasure_that_died_before_the_files_were_freed_is_finished_at_the_next_start(tmp_path: Path, make_api: Any) -> None:
    """The mark that stands from the commit on is all that a killed process leaves."""
    import sqlite3

    url = f"sqlite:///{tmp_path / 'employees.db'}"
    keys = {"open": False, "identity_keys": SIGNER.public_keys}
    async with make_api(url, **keys) as api:
        office = Office(api)
        await office.add("zqzq-mary", title="Zqzq-Novelist")
        await office("DELETE", "/v1/employees/1")
    with sqlite3.connect(tmp_path / "employees.db") as raw:
        raw.execute("PRAGMA secure_delete=OFF")  # some builds of SQLite have it on
        raw.execute("UPDATE employees_versions SET username = 'x', email = 'x', username_key = 'x', email_key = 'x', title = NULL")
        raw.execute("UPDATE employees_versions SET title_key = '', words = ''")
        raw.execute("INSERT INTO meta VALUES ('scrub', 'due')")
    raw.close()
    assert Office(api).traces()
    async with make_api(url, **keys) as api:
        office = Office(api)
        await office.add("next")  # the writer has done what was due before it takes a unit
        assert office.traces() == []


PAST = st.lists(st.tuples(st.sampled_from(sorted({*SECRET} - {"hired_on", "left_on", "email"})), st.booleans()), max_size=6)


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(past=PAST, deleted=st.booleans())
def test_whatever_was_written_nothing_of_it_is_left(past: Any, deleted: bool, tmp_path_factory: Any, make_api: Any) -> None:
    import asyncio

    async def run() -> None:
        url = f"sqlite:///{tmp_path_factory.mktemp('past') / 'employees.db'}"
        async with make_api(url, open=False, identity_keys=SIGNER.public_keys) as api:
            office = Office(api)
            await office("POST", "/v1/employees", {**SECRET, "hired_on": str(datetime.date(2020, 1, 1)), "left_on": None})
            for place, (name, cleared) in enumerate(past):
                value = None if cleared and name != "username" else f"zqzq-{place}"
                assert (await office("PATCH", "/v1/employees/1", {name: value})).status == 200
            if deleted:
                await office("DELETE", "/v1/employees/1")
            assert (await office("POST", "/v1/employees/1/erase")).status == 204
            assert office.traces() == []
            assert await office.intact()

    asyncio.run(run())

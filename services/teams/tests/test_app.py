"""The app as a whole: what it starts with, who may call, what it tells of itself."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from shared.config import SettingsError
from shared.testing.callers import Signer
from shared.testing.calls import LOCAL
from teams import create_app
from teams.app import team_changed
from teams.config import Settings

GATEWAY, STRANGER = Signer("gateway"), Signer("gateway")


def settings_in(folder: Path, **fields: Any) -> Settings:
    return Settings(**{"database_url": f"sqlite:///{folder / 'teams.db'}", "log_level": "error", "access_log": False, **fields})


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({}, "identity_keys"),
        ({"identity_keys": "{}"}, "identity_keys"),
        ({"open": True, "employees_url": "ftp://employees"}, "employees_url"),
        ({"open": True, "employees_url": "http://employees:99999"}, "employees_url"),
        ({"open": True, "signing_key": "secret"}, "signing_key"),
        ({"open": True, "database_url": "mysql://x"}, "database_url"),
    ],
)
def test_it_refuses_settings_that_can_not_work(tmp_path: Path, fields: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        create_app(settings_in(tmp_path, **fields))


async def test_roles_are_decided_by_the_assertion(tmp_path: Path) -> None:
    async with create_app(settings_in(tmp_path, identity_keys=GATEWAY.public_keys)).test_app() as running:
        client = running.test_client()

        async def status(method: str, path: str, headers: dict[str, str], **options: Any) -> int:
            return int((await client.open(path, method=method, headers=headers, scope_base=LOCAL, **options)).status_code)

        team = {"slug": "core", "name": "Core"}
        assert await status("GET", "/v1/teams", {}) == 401
        assert await status("GET", "/v1/teams", STRANGER.headers("teams", "admin")) == 401
        assert await status("GET", "/v1/teams", GATEWAY.headers("employees", "admin")) == 401
        assert await status("GET", "/v1/teams", GATEWAY.headers("teams")) == 200
        assert await status("POST", "/v1/teams", GATEWAY.headers("teams"), json=team) == 403
        assert await status("POST", "/v1/teams", GATEWAY.headers("teams", "editor"), json=team) == 201
        assert await status("GET", "/v1/changes", GATEWAY.headers("teams", "feed")) == 200
        assert await status("GET", "/v1/teams", GATEWAY.headers("teams", "feed")) == 403
        event = (await (await client.get("/v1/changes", headers=GATEWAY.headers("teams"), scope_base=LOCAL)).get_json())[0]
        assert event["actor"] == "account:1"


async def test_teams_answers_and_is_ready_while_employees_are_away(tmp_path: Path, feed: Any) -> None:
    await feed.stop()
    app = create_app(settings_in(tmp_path, open=True, employees_url=feed.url, feed_retry=0.05))
    async with app.test_app() as running:
        client = running.test_client()
        follower = app.extensions["follower"]
        async with asyncio.timeout(20):
            while not follower.all_failures:  # noqa: ASYNC110 - a count
                await asyncio.sleep(0.01)
        ready = await client.get("/readyz", scope_base=LOCAL)
        assert ready.status_code == 200
        assert (await ready.get_json())["details"]["employees"]["status"] == "failing"
        assert (await client.get("/v1/teams", scope_base=LOCAL)).status_code == 200
        metrics = await (await client.get("/metrics", scope_base=LOCAL)).get_data(as_text=True)
        assert "employees_feed_failures_total" in metrics
        assert "employees_feed_last_success_timestamp_seconds 0.0" in metrics


async def test_members_are_known_by_the_feed(tmp_path: Path, feed: Any) -> None:
    feed.add(1, "created")
    feed.add(2, "created", status="inactive")
    feed.add(3, "created")
    feed.add(3, "deleted")
    app = create_app(settings_in(tmp_path, open=True, employees_url=feed.url))
    async with app.test_app() as running:
        client = running.test_client()
        async with asyncio.timeout(20):
            while app.extensions["follower"].events < 4:  # noqa: ASYNC110 - a count
                await asyncio.sleep(0.01)

        async def call(method: str, path: str, **options: Any) -> Any:
            response = await client.open(path, method=method, scope_base=LOCAL, **options)
            return response.status_code, await response.get_json()

        await call("POST", "/v1/teams", json={"slug": "core", "name": "Core"})
        results = [await call("PUT", f"/v1/teams/1/members/{employee}", json={}) for employee in (1, 2, 3, 4)]
        assert [status for status, _ in results] == [201, 201, 422, 201]
        assert [error["field"] for error in results[2][1]["errors"]] == ["employee_id"]
        for path in ("/v1/teams/1/members", "/v1/teams/1/effective-members", "/v1/memberships"):
            assert [item["employee_id"] for item in (await call("GET", path))[1]["items"]] == [1, 4], path
            assert [item["employee_id"] for item in (await call("GET", f"{path}?include=inactive"))[1]["items"]] == [1, 2, 4], path
        assert (await call("GET", "/v1/memberships?employee_id=2&effective=true"))[1]["items"] == []
        assert len((await call("GET", "/v1/memberships?employee_id=2&effective=true&include=inactive"))[1]["items"]) == 1
        table = b"team,employee_id\ncore,3\ncore,5\n"
        _, report = await call("POST", "/v1/memberships/import", data=table, headers={"Content-Type": "text/csv"})
        assert (report["created"], report["refusals"][0]["field"]) == (1, "employee_id")


async def test_changes_are_told_to_who_listens_after_the_commit(lite: Any) -> None:
    told: list[tuple[str, int, str]] = []

    def listen(sender: Any, change: Any) -> None:
        told.append((change.entity, change.entity_id, change.kind))

    team_changed.connect(listen)
    try:
        await lite.team("core")
        await lite.join(1, 7)
        assert (await lite("POST", "/v1/teams", {"slug": "core", "name": "x"})).status == 409
        await lite("DELETE", "/v1/teams/1")
    finally:
        team_changed.disconnect(listen)
    assert told == [("team", 1, "created"), ("membership", 1, "created"), ("membership", 1, "deleted"), ("team", 1, "deleted")]


async def test_every_text_and_list_of_the_description_is_bounded(lite: Any) -> None:
    document = (await lite("GET", "/openapi.json")).json
    assert document["openapi"].startswith("3.1")
    loose: list[str] = []

    def look(schema: Any, where: str) -> None:
        if isinstance(schema, list):
            for part in schema:
                look(part, where)
        if not isinstance(schema, dict):
            return
        if schema.get("type") == "string" and not schema.keys() & {"maxLength", "enum", "const", "format"}:
            loose.append(where)
        if schema.get("type") == "array" and "maxItems" not in schema:
            loose.append(where)
        for name, part in schema.items():
            look(part, f"{where}/{name}")

    schemas = {name: schema for name, schema in document["components"]["schemas"].items() if name not in ("ProblemDocument", "FieldError")}
    look(schemas, "")
    look(list(document["paths"].values()), "paths")
    assert loose == []
    assert {operation["operationId"] for path in document["paths"].values() for operation in path.values()} >= {"list_teams", "put_member"}

"""The feed of changes."""

from typing import Any

import yaml

from employees.app import employee_changed


async def test_changes_come_in_order_with_states_and_tombstones(api: Any) -> None:
    await api.add("ada")
    await api("PATCH", "/v1/employees/1", {"title": "Lady"})
    await api("DELETE", "/v1/employees/1")
    answer = await api("GET", "/v1/changes")
    assert answer.headers["Content-Type"] == "application/cloudevents-batch+json"
    events = answer.json
    assert [event["type"] for event in events] == ["roster.employee.created", "roster.employee.updated", "roster.employee.deleted"]
    assert [event["subject"] for event in events] == ["employee/1"] * 3
    assert [event["data"] and event["data"]["title"] for event in events] == [None, "Lady", None]
    assert events[2]["data"] is None
    later = await api("GET", f"/v1/changes?after={events[0]['id']}&limit=1")
    assert later.json == events[1:2]
    assert (await api("GET", f"/v1/changes?after={events[2]['id']}")).json == []


async def test_changes_come_as_yaml_too(api: Any) -> None:
    await api.add("ada")
    answer = await api("GET", "/v1/changes", headers={"Accept": "application/yaml"})
    assert answer.headers["Content-Type"] == "application/yaml"
    assert yaml.safe_load(answer.body) == (await api("GET", "/v1/changes")).json


async def test_the_document_of_an_event_is_the_record(api: Any) -> None:
    await api.add("ada")
    assert (await api("GET", "/v1/changes")).json[0]["data"] == await api.employee(1)


async def test_a_cursor_that_is_none_is_refused_and_one_of_another_epoch_is_gone(api: Any) -> None:
    assert (await api("GET", "/v1/changes?after=x")).fields == ["after"]
    assert (await api("GET", "/v1/changes?after=0123456789abcdef.1")).status == 410


async def test_a_signal_is_sent_for_each_change(lite: Any) -> None:
    heard = []

    def hear(sender: Any, *, change: Any) -> None:
        heard.append((change.kind, change.entity_id))

    with employee_changed.connected_to(hear, lite.app):
        await lite.add("ada")
        await lite("DELETE", "/v1/employees/1")
        await lite("DELETE", "/v1/employees/1")
    assert heard == [("created", 1), ("deleted", 1)]

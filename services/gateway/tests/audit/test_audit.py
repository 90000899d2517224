"""`/v1/audit` at the gateway, in front of services that do as they are told."""

from typing import Any
from urllib.parse import parse_qs

import pytest
from sqlalchemy import select, update

from gateway.models import log
from shared.db import Query

HASH = "ab" * 32


def row(seq: int, at: str = "2026-11-22T08:00:00.000000Z", **fields: Any) -> dict[str, Any]:
    same = {"entity": "team", "entity_id": 1, "version": seq, "kind": "updated", "actor": "account:2", "request_id": "r"}
    return {"id": f"e1.{seq}", "seq": seq, "at": at, **same, "digest": HASH, "hash": HASH, **fields}


@pytest.fixture
def told(house: Any) -> Any:
    """Teams has 450 changes of a long time ago; employees has none."""
    house.teams.on("GET /probe")
    answer = type(house.teams._answers["GET /probe"])
    rows = [row(seq, f"2025-01-01T00:00:00.{seq:06}Z") for seq in range(1, 451)]

    def listed(seen: Any) -> Any:
        query = {name: values[0] for name, values in parse_qs(seen.query).items()}
        place, limit = int(query.get("cursor", "e1.0").partition(".")[2]), int(query["limit"])
        forwards = query["sort"] == "seq"
        ordered = rows if forwards else rows[::-1]
        found = [one for one in ordered if not place or ((one["seq"] > place) is forwards and one["seq"] != place)]
        page = found[:limit]
        return answer({"items": page, "next": page[-1]["id"] if len(found) > limit else None})

    house.teams.on("GET /v1/audit", listed)
    house.employees.on("GET /v1/audit", json={"items": [], "next": None})
    return house


async def test_logs_are_merged_the_newest_first_with_the_names_of_accounts(told: Any, admin: Any) -> None:
    answer = await admin.get("/v1/audit?limit=5")
    assert answer.status_code == 200, answer.text
    first = answer.json()
    places = [(one["service"], one["seq"]) for one in first["items"]]
    assert places == [("gateway", 4), ("gateway", 3), ("gateway", 2), ("gateway", 1), ("teams", 450)]
    assert (first["items"][0]["entity"], first["items"][0]["kind"], first["items"][0]["username"]) == ("session", "created", "admin")
    assert first["items"][1]["username"] is None  # made by the test, which has no account
    assert first["items"][4]["username"] == "editor"
    second = await admin.get(f"/v1/audit?limit=5&cursor={first['next']}")
    assert [one["seq"] for one in second.json()["items"]] == [449, 448, 447, 446, 445]
    assert "cursor=" in second.headers["Link"]
    assert len(told.teams.seen) == 2


async def test_filters_are_passed_on_and_a_username_is_its_account(told: Any, admin: Any) -> None:
    query = "actor=EDITOR&entity=team/7&from=2026-01-01T02:00:00%2B02:00&to=2026-01-02T00:00:00Z"
    answer = await admin.get(f"/v1/audit?{query}&limit=1")
    assert answer.status_code == 200
    asked = {name: values[0] for name, values in parse_qs(told.teams.seen[-1].query).items()}
    assert asked == {
        "actor": "account:2",
        "entity": "team/7",
        "from": "2026-01-01T00:00:00.000000Z",
        "to": "2026-01-02T00:00:00.000000Z",
        "sort": "-seq",
        "limit": "1",
    }
    other = await admin.get(f"/v1/audit?entity=team/8&cursor={answer.json()['next']}")
    assert (other.status_code, other.json()["errors"][0]["field"]) == (400, "cursor")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("actor=nobody", "actor"),
        ("entity=Team", "entity"),
        ("entity=teams", "entity"),
        ("entity=foo/7", "entity"),
        ("entity=team/0", "entity"),
        ("from=yesterday", "from"),
        ("from=2026-01-01", "from"),
        ("from=0001-01-01T00:00:00%2B12:00", "from"),
        ("to=2026-01-01T00:00:00", "to"),
        ("sort=at", "sort"),
        ("cursor=x", "cursor"),
        ("limit=201", "limit"),
        ("since=2026-01-01T00:00:00Z", "since"),
    ],
)
async def test_what_is_wrong_is_named(query: str, field: str, told: Any, admin: Any) -> None:
    answer = await admin.get(f"/v1/audit?{query}")
    assert (answer.status_code, [one["field"] for one in answer.json()["errors"]]) == (400, [field])
    assert told.teams.seen == []


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/v1/audit?entity=employee/abc", "kind/7"),
        ("/v1/audit?from=2026-11-27", "2026-11-22T07:49:09Z"),
        ("/v1/audit?to=2026-11-27T00:00:00", "2026-11-22T07:49:09Z"),
        ("/v1/audit/verify?head=foo", "service.seq.hash"),
    ],
)
async def test_what_is_expected_is_said_in_words(told: Any, admin: Any, path: str, said: str) -> None:
    (error,) = (await admin.get(path)).json()["errors"]
    assert said in error["message"]
    assert "regex" not in error["message"]


async def test_a_kind_of_record_that_no_log_has_is_told_those_that_there_are(told: Any, admin: Any) -> None:
    (error,) = (await admin.get("/v1/audit?entity=employees")).json()["errors"]
    assert "account, employee, membership, password, session, team, token, webhook, webhook_secret" in error["message"]
    (error,) = (await admin.get("/v1/audit/export?entity=employees")).json()["errors"]
    assert error["field"] == "entity"


async def test_a_service_that_can_not_be_asked_is_the_answer(told: Any, admin: Any) -> None:
    told.employees.on("GET /v1/audit", status=503, json={"detail": "away"})
    assert (await admin.get("/v1/audit")).status_code == 503
    assert (await admin.get("/v1/audit/export")).status_code == 503
    assert (await admin.get("/v1/audit/verify")).status_code in (404, 502, 503)
    told.employees.on("GET /v1/audit", json={"items": [{"seq": 1}], "next": None})
    assert (await admin.get("/v1/audit")).status_code == 502


async def test_only_admins_see_it(told: Any, editor: Any, viewer: Any) -> None:
    for browser in (editor, viewer):
        for path in ("/v1/audit", "/v1/audit/export", "/v1/audit/verify"):
            assert (await browser.get(path)).status_code == 403
    assert told.teams.seen == []


async def test_an_export_has_all_of_it_the_oldest_first(told: Any, admin: Any) -> None:
    table = (await admin.get("/v1/audit/export")).text.split("\r\n")
    assert table[0] == "id,seq,at,entity,entity_id,version,kind,actor,request_id,digest,hash,service,username"
    assert [line.split(",")[-2] for line in table[1:-1]] == ["teams"] * 450 + ["gateway"] * 4
    lines = (await admin.get("/v1/audit/export?format=ndjson&entity=account")).text.splitlines()
    assert len(lines) == 3  # of accounts the gateway's own log tells alone
    assert (await admin.get("/v1/audit/export", headers={"Accept": "image/png"})).status_code == 406


async def test_every_log_is_verified_and_the_first_row_that_was_altered_is_named(told: Any, admin: Any) -> None:
    intact = {"intact": True, "count": 7, "seq": 7, "hash": HASH, "fault": None}
    told.employees.on("GET /v1/audit/verify", json=intact)
    told.teams.on("GET /v1/audit/verify", json=intact)
    found = (await admin.get(f"/v1/audit/verify?head=teams.7.{HASH},teams.3.{HASH}")).json()
    assert found["intact"]
    assert (found["teams"], found["gateway"]["count"]) == (intact, 4)
    assert parse_qs(told.teams.seen[-1].query) == {"head": [f"7.{HASH},3.{HASH}"]}
    assert told.employees.seen[-1].query == ""
    cut = (await admin.get(f"/v1/audit/verify?head=gateway.9.{HASH}")).json()
    assert (cut["intact"], cut["gateway"]["fault"]["seq"], cut["gateway"]["count"]) == (False, 5, 4)
    db = told.app.extensions["db"]
    await db.write(lambda conn: conn.run(Query(update(log.changes).where(log.changes.c.seq == 2).values(actor="account:1"))))
    found = (await admin.get("/v1/audit/verify")).json()
    assert (found["intact"], found["employees"]["intact"]) == (False, True)
    assert found["gateway"]["fault"] == {"seq": 2, "reason": "its hash does not fit what it says"}
    assert len(await db.all(Query(select(log.changes)))) == 4
    for wrong in ("x", f"people.1.{HASH}", "teams.1.ab"):
        answer = await admin.get(f"/v1/audit/verify?head={wrong}")
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "head.0")

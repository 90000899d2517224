"""Memberships over HTTP: direct and effective, of teams and of people."""

from typing import Any


async def test_putting_a_member_is_idempotent(api: Any) -> None:
    await api.team("core")
    path = "/v1/teams/1/members/7"
    made = await api("PUT", path, {"role": "lead"})
    assert (made.status, made.headers["Location"], made.headers["ETag"]) == (201, path, '"1"')
    assert (made.json["role"], made.json["employee_id"], made.json["since"]) == ("lead", 7, made.json["created_at"][:10])
    same = await api("PUT", path, {"role": "lead"})
    assert (same.status, same.json) == (200, made.json)
    changed = await api("PUT", path, {"role": "member", "since": "2020-02-29"})
    assert (changed.status, changed.json["role"], changed.json["since"], changed.json["version"]) == (200, "member", "2020-02-29", 2)
    kept = await api("PUT", path)
    assert (kept.json["role"], kept.json["since"]) == ("member", "2020-02-29")
    assert (await api("GET", path)).json == changed.json
    assert (await api("GET", path, headers={"If-None-Match": '"2"'})).status == 304
    assert len((await api("GET", "/v1/changes")).json) == 3


async def test_conditions_hold_for_members(api: Any) -> None:
    await api.team("core")
    path = "/v1/teams/1/members/7"
    for tag in ("*", '"1"'):
        assert (await api("PUT", path, {}, headers={"If-Match": tag})).status == 412
    await api.join(1, 7)
    assert (await api("PUT", path, {"role": "lead"}, headers={"If-Match": '"2"'})).status == 412
    assert (await api("DELETE", path, headers={"If-Match": '"2"'})).status == 412
    assert (await api("PUT", path, {"role": "lead"}, headers={"If-Match": '"1"'})).status == 200
    assert (await api("DELETE", path, headers={"If-Match": '"2"'})).status == 204
    assert (await api("DELETE", path)).status == 404
    assert (await api("GET", path)).status == 404


async def test_members_of_no_team_are_not_found(api: Any) -> None:
    for method, path in (
        ("PUT", "/v1/teams/9/members/7"),
        ("GET", "/v1/teams/9/members/7"),
        ("DELETE", "/v1/teams/9/members/7"),
        ("GET", "/v1/teams/9/members"),
        ("GET", "/v1/teams/9/effective-members"),
    ):
        assert (await api(method, path)).status == 404, path
    assert (await api("PUT", "/v1/teams/9223372036854775807/members/7")).status == 404
    assert (await api("PUT", "/v1/teams/9223372036854775808/members/7")).status == 404


async def test_members_are_paged_by_employee(api: Any) -> None:
    await api.team("core")
    for employee in (30, 10, 20, 9223372036854775807):
        await api.join(1, employee, "lead" if employee == 10 else "member")
    first = await api("GET", "/v1/teams/1/members?limit=2&count=true")
    assert ([item["employee_id"] for item in first.items], first.json["total"]) == ([10, 20], 4)
    second = await api("GET", f"/v1/teams/1/members?limit=2&cursor={first.json['next']}")
    assert ([item["employee_id"] for item in second.items], second.json["next"]) == ([30, 9223372036854775807], None)
    assert [item["employee_id"] for item in (await api("GET", "/v1/teams/1/members?role=lead")).items] == [10]


async def test_effective_members_come_once_with_their_paths(api: Any) -> None:
    top = await api.team("top")
    arms = [await api.team(f"arm-{number}", top) for number in range(6)]
    hand = await api.team("hand", arms[5])
    for team in (*arms, hand):
        await api.join(team, 7)
    await api.join(top, 8, "lead")
    await api.join(hand, 8)
    items = (await api("GET", f"/v1/teams/{top}/effective-members?count=true")).items
    assert items == [
        {"employee_id": 7, "role": None, "paths": [["top", f"arm-{number}"] for number in range(5)]},
        {"employee_id": 8, "role": "lead", "paths": [["top"], ["top", "arm-5", "hand"]]},
    ]
    first = await api("GET", f"/v1/teams/{top}/effective-members?limit=1")
    rest = await api("GET", f"/v1/teams/{top}/effective-members?limit=1&cursor={first.json['next']}")
    assert (first.items + rest.items, rest.json["next"]) == (items, None)
    elsewhere = await api("GET", f"/v1/teams/{hand}/effective-members?cursor={first.json['next']}")
    assert (elsewhere.status, elsewhere.fields) == (400, ["cursor"])


async def test_memberships_of_a_person_direct_and_effective(api: Any) -> None:
    top = await api.team("top")
    low = await api.team("low", top)
    other = await api.team("other")
    await api.join(low, 7, "lead")
    await api.join(other, 7)
    await api.join(other, 8)
    assert [item["team_id"] for item in (await api("GET", "/v1/memberships?employee_id=7")).items] == [low, other]
    assert len((await api("GET", "/v1/memberships?employee_id=7,8")).items) == 3
    assert len((await api("GET", f"/v1/memberships?team_id={other}&role=member")).items) == 2
    effective = await api("GET", "/v1/memberships?employee_id=7&effective=true&count=true")
    assert effective.json == {
        "items": [
            {"team_id": top, "slug": "top", "employee_id": 7, "role": None, "paths": [["top", "low"]]},
            {"team_id": low, "slug": "low", "employee_id": 7, "role": "lead", "paths": [["low"]]},
            {"team_id": other, "slug": "other", "employee_id": 7, "role": "member", "paths": [["other"]]},
        ],
        "next": None,
        "total": 3,
    }
    for query, field in (
        ("effective=true", "employee_id"),
        ("effective=true&employee_id=1,2", "employee_id"),
        ("effective=true&employee_id=1&role=lead", "role"),
    ):
        answer = await api("GET", f"/v1/memberships?{query}")
        assert (answer.status, answer.fields) == (400, [field])

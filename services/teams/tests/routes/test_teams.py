"""Teams over HTTP: one by one, in lists, and deleted with what is below them."""

from typing import Any

import pytest

MERGE = {"Content-Type": "application/merge-patch+json"}


async def test_a_team_is_created_read_and_found(api: Any) -> None:
    made = await api("POST", "/v1/teams", {"slug": "core", "name": "Core Team", "description": "What all need", "external_id": "x-1"})
    assert made.status == 201
    assert made.headers["Location"] == "/v1/teams/1"
    assert made.headers["ETag"] == '"1"'
    assert made.json == {
        "id": 1,
        "slug": "core",
        "name": "Core Team",
        "description": "What all need",
        "parent_id": None,
        "external_id": "x-1",
        "version": 1,
        "created_at": made.json["created_at"],
        "updated_at": made.json["created_at"],
    }
    read = await api("GET", "/v1/teams/1")
    assert (read.json, read.headers["ETag"]) == (made.json, '"1"')
    assert (await api("GET", "/v1/teams/1", headers={"If-None-Match": '"1"'})).status == 304
    assert (await api("GET", "/v1/teams/1?fields=slug,id")).json == {"id": 1, "slug": "core"}
    assert "ETag" not in (await api("GET", "/v1/teams/1?fields=slug,id")).headers
    assert (await api("GET", "/v1/teams/2")).status == 404


async def test_put_empties_what_it_leaves_out_and_patch_keeps_it(api: Any) -> None:
    await api.team("core", description="old", external_id="x")
    patched = await api("PATCH", "/v1/teams/1", {"name": "New", "external_id": None}, headers={**MERGE, "If-Match": '"1"'})
    assert (patched.json["name"], patched.json["description"], patched.json["external_id"], patched.json["version"]) == (
        "New",
        "old",
        None,
        2,
    )
    replaced = await api("PUT", "/v1/teams/1", {"slug": "core", "name": "Newer"})
    assert (replaced.json["description"], replaced.json["version"], replaced.headers["ETag"]) == (None, 3, '"3"')
    same = await api("PUT", "/v1/teams/1", {"slug": "core", "name": "Newer"})
    assert same.json == replaced.json


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_a_stale_if_match_is_refused(api: Any, method: str) -> None:
    await api.team("core")
    body = None if method == "DELETE" else {"slug": "core", "name": "x"}
    before = await api.everything()
    assert (await api(method, "/v1/teams/1", body, headers={"If-Match": '"7"'})).status == 412
    assert await api.everything() == before
    assert (await api(method, "/v1/teams/1", body, headers={"If-Match": '"7", "1"'})).status in (200, 204)


async def test_a_slug_is_taken_once(api: Any) -> None:
    await api.team("core")
    await api.team("edge")
    for answer in (await api("POST", "/v1/teams", {"slug": "core", "name": "x"}), await api("PATCH", "/v1/teams/2", {"slug": "core"})):
        assert (answer.status, answer.fields) == (409, ["slug"])
    both = await api("POST", "/v1/teams", {"slug": "core", "name": "x", "parent_id": 99})
    assert (both.status, both.fields) == (422, ["parent_id", "slug"])
    assert (await api("DELETE", "/v1/teams/1")).status == 204
    assert await api.team("core") == 3, "a slug may be used again, an id never"


async def test_the_tree_has_no_loop(api: Any) -> None:
    top = await api.team("top")
    middle = await api.team("middle", top)
    low = await api.team("low", middle)
    for team, parent in ((top, low), (top, top), (middle, low), (low, 10**15)):
        answer = await api("PATCH", f"/v1/teams/{team}", {"parent_id": parent})
        assert (answer.status, answer.fields) == (422, ["parent_id"])
    assert (await api("PATCH", f"/v1/teams/{low}", {"parent_id": top})).status == 200
    assert (await api("PATCH", f"/v1/teams/{middle}", {"parent_id": low})).status == 200


async def test_lists_are_filtered_sorted_and_paged(api: Any) -> None:
    top = await api.team("sig-network", name="SIG Network")
    for slug in ("sig-node", "wg-network-policy", "bots"):
        await api.team(slug, top if slug != "bots" else None)

    async def slugs(query: str) -> list[str]:
        return [item["slug"] for item in (await api("GET", f"/v1/teams?{query}")).items]

    assert await slugs("") == ["sig-network", "sig-node", "wg-network-policy", "bots"]
    assert await slugs("sort=-slug") == ["wg-network-policy", "sig-node", "sig-network", "bots"]
    assert await slugs("sort=name&limit=2") == ["bots", "sig-network"]
    assert await slugs("q=net") == ["sig-network", "wg-network-policy"]
    assert await slugs("q=NETWORK sig") == ["sig-network"]
    assert await slugs("q=etwork") == []
    assert await slugs("slug=bots,sig-node,none-such") == ["sig-node", "bots"]
    assert await slugs("id=4,1,99") == ["sig-network", "bots"]
    assert await slugs(f"parent_id={top}") == ["sig-node", "wg-network-policy"]
    assert await slugs("parent_id=none") == ["sig-network", "bots"]
    assert await slugs(f"parent_id={top}&q=node") == ["sig-node"]
    assert (await api("GET", "/v1/teams?fields=slug&limit=1&count=true")).json == {
        "items": [{"slug": "sig-network"}],
        "next": (await api("GET", "/v1/teams?fields=slug&limit=1")).json["next"],
        "total": 4,
    }


@pytest.mark.parametrize("sort", ["id", "-id", "slug", "-slug", "name", "-name", "created_at", "-created_at", "updated_at", "-updated_at"])
async def test_every_sort_pages_through_everything_once(api: Any, sort: str) -> None:
    for number in range(7):
        await api.team(f"t{number}", name=f"Same {number % 2}")
    await api("PATCH", "/v1/teams/3", {"name": "changed"})
    whole = [item["id"] for item in (await api("GET", f"/v1/teams?sort={sort}")).items]
    paged: list[int] = []
    path: str | None = f"/v1/teams?sort={sort}&limit=2"
    while path:
        answer = await api("GET", path)
        paged += [item["id"] for item in answer.items]
        link = answer.headers.get("Link")
        path = link[link.index("<") + 1 : link.index(">")] if link else None
        assert bool(link) == bool(answer.json["next"])
    assert paged == whole
    assert sorted(whole) == list(range(1, 8))


async def test_subteams_come_with_their_depth_the_nearest_first(api: Any) -> None:
    top = await api.team("top")
    left, right = await api.team("left", top), await api.team("right", top)
    below = await api.team("below", left)
    await api.team("other")

    async def listed(query: str) -> list[tuple[int, int]]:
        return [(item["id"], item["depth"]) for item in (await api("GET", f"/v1/teams/{top}/subteams{query}")).items]

    assert await listed("") == [(left, 1), (right, 1)]
    assert await listed("?depth=9") == [(left, 1), (right, 1), (below, 2)]
    first = await api("GET", f"/v1/teams/{top}/subteams?depth=9&limit=2&count=true&fields=slug")
    assert (first.items, first.json["total"]) == ([{"slug": "left", "depth": 1}, {"slug": "right", "depth": 1}], 3)
    assert await listed(f"?depth=9&limit=2&cursor={first.json['next']}") == [(below, 2)]
    assert (await api("GET", f"/v1/teams/{below}/subteams")).items == []
    assert (await api("GET", "/v1/teams/99/subteams")).status == 404


async def test_a_team_with_subteams_is_deleted_only_when_told_how(api: Any) -> None:
    top, left = await api.team("top"), await api.team("left", 1)
    low = await api.team("low", left)
    await api.join(low, 7)
    await api.join(left, 8)
    before = await api.everything()
    refused = await api("DELETE", f"/v1/teams/{top}")
    assert (refused.status, refused.json["subteams"]) == (409, 1)
    assert await api.everything() == before
    assert (await api("DELETE", f"/v1/teams/{left}?subteams=reparent")).status == 204
    assert (await api("GET", f"/v1/teams/{low}")).json["parent_id"] == top
    assert (await api("GET", "/v1/memberships?employee_id=8")).items == []
    assert (await api("DELETE", f"/v1/teams/{top}?subteams=delete")).status == 204
    assert (await api("GET", "/v1/teams")).items == []
    assert (await api("GET", "/v1/memberships")).items == []
    changes = (await api("GET", "/v1/changes?limit=1000")).json
    kinds = [(event["subject"], event["type"].rpartition(".")[2]) for event in changes[5:]]
    assert kinds == [
        ("team/3", "updated"),
        ("membership/2", "deleted"),
        ("team/2", "deleted"),
        ("membership/1", "deleted"),
        ("team/3", "deleted"),
        ("team/1", "deleted"),
    ]
    assert len({event["requestid"] for event in changes[8:]}) == 1


async def test_a_repeated_post_is_answered_from_its_first_run(api: Any) -> None:
    key = {"Idempotency-Key": "k-1"}
    first = await api("POST", "/v1/teams", {"slug": "core", "name": "Core"}, headers=key)
    again = await api("POST", "/v1/teams", {"slug": "core", "name": "Core"}, headers=key)
    assert (again.status, again.body, again.headers["Location"]) == (201, first.body, "/v1/teams/1")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (await api("POST", "/v1/teams", {"slug": "other", "name": "Core"}, headers=key)).status == 422
    assert len((await api("GET", "/v1/teams")).items) == 1


async def test_yaml_is_spoken_errors_included(lite: Any) -> None:
    made = await lite("POST", "/v1/teams", {"slug": "core", "name": "Core"}, headers={"Accept": "application/yaml"})
    assert (made.status, made.headers["Content-Type"], "ETag" in made.headers) == (201, "application/yaml", False)
    answer = await lite("GET", "/v1/teams/1", headers={"Accept": "application/yaml"})
    assert answer.headers["Content-Type"] == "application/yaml"
    assert b"slug: core" in answer.body
    assert "ETag" not in answer.headers
    wrong = await lite("GET", "/v1/teams/9", headers={"Accept": "application/yaml"})
    assert (wrong.status, wrong.headers["Content-Type"]) == (404, "application/problem+yaml")

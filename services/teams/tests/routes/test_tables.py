"""Imports and exports over HTTP."""

import csv
import io
import random
from typing import Any

import pytest

CSV = {"Content-Type": "text/csv"}
NDJSON = {"Content-Type": "application/x-ndjson"}


async def load(api: Any, what: str, table: str, query: str = "", kind: dict[str, str] = CSV) -> Any:
    answer = await api("POST", f"/v1/{what}/import{query}", data=table.encode(), headers=kind)
    assert answer.status == 200, answer.body
    return answer.json


def counts(report: Any) -> tuple[int, int, int, int]:
    return tuple(report[name] for name in ("created", "updated", "unchanged", "refused"))


async def test_parents_may_come_in_any_order(api: Any) -> None:
    rows = [(f"t{number}", f"t{(number - 1) // 2}" if number else "") for number in range(700)]
    random.Random(7).shuffle(rows)
    table = "slug,name,parent\n" + "".join(f"{slug},{slug.upper()},{parent}\n" for slug, parent in rows)
    assert counts(await load(api, "teams", table)) == (700, 0, 0, 0)
    assert counts(await load(api, "teams", table)) == (0, 0, 700, 0)
    assert (await api("GET", "/v1/teams?slug=t699")).items[0]["version"] == 1
    top = (await api("GET", "/v1/teams?slug=t0")).items[0]["id"]
    assert (await api("GET", f"/v1/teams/{top}/subteams?depth=50&limit=1&count=true")).json["total"] == 699


async def test_a_tree_may_be_turned_upside_down(api: Any) -> None:
    await load(api, "teams", "slug,name,parent\na,A,\nb,B,a\nc,C,b\n")
    for table in ("slug,parent\na,b\nb,c\nc,\n", "slug,parent\nc,b\nb,a\na,\n"):
        assert counts(await load(api, "teams", table)) == (0, 3, 0, 0)


async def test_absent_columns_stay_and_empty_cells_clear(api: Any) -> None:
    await load(api, "teams", "slug,name,description,parent,external_id\ntop,Top,,,\nlow,Low,about,top,x\n")
    assert counts(await load(api, "teams", "slug,name\nlow,Lower\n")) == (0, 1, 0, 0)
    kept = (await api("GET", "/v1/teams/2")).json
    assert (kept["name"], kept["description"], kept["parent_id"], kept["external_id"]) == ("Lower", "about", 1, "x")
    assert counts(await load(api, "teams", '{"slug": "low", "description": null, "parent": ""}\n', kind=NDJSON)) == (0, 1, 0, 0)
    cleared = (await api("GET", "/v1/teams/2")).json
    assert (cleared["name"], cleared["description"], cleared["parent_id"], cleared["external_id"]) == ("Lower", None, None, "x")


async def test_parents_of_each_other_are_told_to_be_a_loop(api: Any) -> None:
    answer = await load(api, "teams", "slug,name,parent\nx,X,y\ny,Y,x\n")
    assert [one["message"] for one in answer["refusals"]] == [
        "there is no team y, for line 3 waits for this one in turn: it is a loop",
        "there is no team x, for line 2 waits for this one in turn: it is a loop",
    ]


WRONG = "slug,name,parent\nok,Fine,\nBad Slug,,\nlost,Lost,nowhere\nx,X,y\ny,Y,x\nme,Me,me\nok,Twice,\nnameless,,\n"
REFUSED = [(3, "slug"), (4, "parent"), (5, "parent"), (6, "parent"), (7, "parent"), (8, ""), (9, "name")]


async def test_refused_rows_are_told_by_line(api: Any) -> None:
    dry = await load(api, "teams", WRONG, "?dry_run=true")
    assert (await api("GET", "/v1/teams")).items == []
    atomic = await api("POST", "/v1/teams/import?atomic=true", data=WRONG.encode(), headers=CSV)
    assert (atomic.status, atomic.json["refusals"]) == (422, dry["refusals"])
    assert (await api("GET", "/v1/changes")).json == []
    report = await load(api, "teams", WRONG)
    assert counts(report) == counts(dry) == counts(atomic.json) == (1, 0, 0, 7)
    assert [(refusal["line"], refusal["field"]) for refusal in report["refusals"]] == REFUSED
    assert [item["slug"] for item in (await api("GET", "/v1/teams")).items] == ["ok"]


async def test_memberships_by_slug_and_employee(api: Any) -> None:
    await api.team("core")
    table = "team,employee_id,role,since\ncore,7,lead,2020-01-02\ncore,8,,\nnone,9,member,\ncore,x,member,\ncore,10,boss,2020-13-01\n"
    report = await load(api, "memberships", table)
    assert counts(report) == (2, 0, 0, 3)
    assert [(refusal["line"], refusal["field"]) for refusal in report["refusals"]] == [(4, "team"), (5, "employee_id"), (6, "role")]
    assert "since" in report["refusals"][2]["message"]
    assert counts(await load(api, "memberships", "team,employee_id\ncore,7\ncore,8\n")) == (0, 0, 2, 0)
    assert counts(await load(api, "memberships", "team,employee_id,role\ncore,7,\ncore,8,lead\n")) == (0, 2, 0, 0)
    assert [(item["role"], item["since"] == "2020-01-02") for item in (await api("GET", "/v1/teams/1/members")).items] == [
        ("member", True),
        ("lead", False),
    ]


async def test_a_row_may_bring_the_line_it_was_on(api: Any) -> None:
    report = await load(api, "memberships", "line,team,employee_id\n907,none,1\n12,core,x\n12,none,2\n", "?dry_run=true")
    assert [(refusal["line"], refusal["field"]) for refusal in report["refusals"]] == [(12, "employee_id"), (12, "team"), (907, "team")]


@pytest.mark.parametrize("form", ["csv", "ndjson"])
async def test_what_goes_out_comes_in_again(api: Any, form: str) -> None:
    await api.team("top", description='=cmd, "quoted"', external_id="é")
    await api.team("a", 1)
    await api.team("b", 2)
    for team, employee in ((1, 5), (3, 5), (2, 6)):
        await api.join(team, employee, "lead" if team == 3 else "member")
    kind = CSV if form == "csv" else NDJSON
    tables = {what: (await api("GET", f"/v1/{what}/export?format={form}")).body.decode() for what in ("teams", "memberships")}
    for what, size in (("teams", 3), ("memberships", 3)):
        assert counts(await load(api, what, tables[what], kind=kind)) == (0, 0, size, 0)
    assert (await api("DELETE", "/v1/teams/1?subteams=delete")).status == 204
    for what in ("teams", "memberships"):
        assert counts(await load(api, what, tables[what], kind=kind)) == (3, 0, 0, 0)
        assert (await api("GET", f"/v1/{what}/export?format={form}")).body.decode() == tables[what]


async def test_an_export_says_what_it_is(lite: Any) -> None:
    await lite.team("top")
    answer = await lite("GET", "/v1/teams/export")
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert "teams.csv" in answer.headers["Content-Disposition"]
    assert list(csv.reader(io.StringIO(answer.body.decode()))) == [
        ["slug", "name", "description", "parent", "external_id"],
        ["top", "Top", "", "", ""],
    ]
    by_accept = await lite("GET", "/v1/teams/export", headers={"Accept": "application/x-ndjson"})
    assert by_accept.json == {"slug": "top", "name": "Top", "description": None, "parent": None, "external_id": None}
    assert (await lite("GET", "/v1/teams/export", headers={"Accept": "image/png"})).status == 406


async def test_an_import_with_a_wrong_header_or_type_is_refused_whole(lite: Any) -> None:
    for data, kind, status in (
        ("slug,nome\nx,y\n", CSV, 422),
        ("name\nx\n", CSV, 422),
        ("", CSV, 422),
        ("slug,slug\nx,y\n", CSV, 422),
        ("slug\nx\n", {"Content-Type": "application/json"}, 415),
    ):
        assert (await lite("POST", "/v1/teams/import", data=data.encode(), headers=kind)).status == status
    assert (await lite("GET", "/v1/teams")).items == []


async def test_a_report_is_yaml_when_asked(lite: Any) -> None:
    answer = await lite("POST", "/v1/teams/import", data=WRONG.encode(), headers={**CSV, "Accept": "application/yaml"})
    assert answer.body.startswith(b"created: 1\nupdated: 0\nunchanged: 0\nrefused: 7\nrefusals:\n- ")

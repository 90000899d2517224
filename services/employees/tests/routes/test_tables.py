"""Imports and exports of everyone."""

import random
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

NDJSON = {"Content-Type": "application/x-ndjson"}


def counts(answer: Any) -> tuple[int, int, int, int]:
    assert answer.status == 200, answer.body
    report = answer.json
    assert len(report["refusals"]) == report["refused"]
    return report["created"], report["updated"], report["unchanged"], report["refused"]


async def directory(api: Any) -> dict[str, tuple[Any, ...]]:
    """Everyone by username: email, title, status, manager's username."""
    answer = await api("GET", "/v1/employees/export?format=ndjson")
    people = [msgspec.json.decode(line) for line in answer.body.splitlines()]
    return {person["username"]: tuple(person[name] for name in ("email", "title", "status", "manager")) for person in people}


async def test_rows_are_added_and_changed_by_username(api: Any) -> None:
    assert counts(await api.load("username,email,title\nada,ada@x,Lady\nbob,bob@x,\n")) == (2, 0, 0, 0)
    assert counts(await api.load("username,title\nADA,\nbob,\n")) == (0, 1, 1, 0)
    assert await directory(api) == {"ADA": ("ada@x", None, "active", None), "bob": ("bob@x", None, "active", None)}


async def test_an_absent_column_keeps_and_an_empty_cell_clears(api: Any) -> None:
    await api.load("username,email,title,phone,manager\nada,a@x,Lady,1,\nbob,b@x,Sir,2,ada\n")
    await api.load("username,phone,manager\nbob,,\n")
    bob = await api.employee(2)
    assert (bob["title"], bob["phone"], bob["manager_id"], bob["email"]) == ("Sir", None, None, "b@x")


async def test_a_second_import_changes_nothing(api: Any) -> None:
    table = "username,email,manager\nada,a@x,\nbob,b@x,ada\n"
    await api.load(table)
    before = await api.everything()
    assert counts(await api.load(table)) == (0, 0, 2, 0)
    assert await api.everything() == before


async def test_a_refused_row_is_told_with_its_line_and_field(api: Any) -> None:
    await api.load("username,email\nada,ada@x\n")
    rows = ["bob,", "cyd,ada@X", "dee,x", ",e@x", "fay,f@x,nobody", "gus,g@x,gus", "hal,h@x,ada", "hal,h2@x,ada", "ivy,i@x,ada,more"]
    table = "username,email,manager\n" + "\n".join(row if row.count(",") > 1 else f"{row}," for row in rows)
    answer = await api.load(table)
    assert counts(answer) == (1, 0, 0, 8)
    told = [(one["line"], one["field"]) for one in answer.json["refusals"]]
    assert told == [(2, "email"), (3, "email"), (4, "email"), (5, "username"), (6, "manager"), (7, "manager"), (9, ""), (10, "")]


async def test_a_manager_may_come_later_and_loops_are_refused(api: Any) -> None:
    answer = await api.load("username,email,manager\ncyd,c@x,bob\nbob,b@x,ada\nada,a@x,\nx,x@x,y\ny,y@x,x\n")
    assert counts(answer) == (3, 0, 0, 2)
    assert [(one["line"], one["field"]) for one in answer.json["refusals"]] == [(5, "manager"), (6, "manager")]
    answer = await api.load("username,manager\nada,cyd\n")
    assert [one["message"] for one in answer.json["refusals"]] == ["cyd: reports to this employee already, so the line would be a loop"]
    assert counts(await api.load("username,manager\nada,cyd\ncyd,\n")) == (0, 2, 0, 0)


async def test_why_the_row_of_a_manager_was_not_there_is_told(api: Any) -> None:
    answer = await api.load("username,email,manager\nx,x@x,y\ny,y@x,x\nme,m@x,me\nmine,n@x,me\nlost,l@x,nobody\n")
    assert [one["message"] for one in answer.json["refusals"]] == [
        "y: there is no such employee, for line 3 waits for this one in turn: it is a loop",
        "x: there is no such employee, for line 2 waits for this one in turn: it is a loop",
        "nobody is their own manager",
        "me: there is no such employee, for line 4 was refused too",
        "nobody: there is no such employee",
    ]


async def test_who_leaves_may_be_told_before_their_reports_move(api: Any) -> None:
    await api.load("username,email,manager\nada,a@x,\nbob,b@x,ada\ncyd,c@x,bob\n")
    assert counts(await api.load("username,status\nbob,inactive\n")) == (0, 0, 0, 1)
    assert counts(await api.load("username,status,manager\nbob,inactive,ada\ncyd,active,ada\n")) == (0, 2, 0, 0)


async def test_a_value_given_up_later_in_the_file_may_be_taken(api: Any) -> None:
    await api.load("username,email,employee_number\nada,a@x,1\n")
    assert counts(await api.load("username,email,employee_number\nbob,a@x,1\nada,new@x,2\n")) == (1, 1, 0, 0)


async def test_a_dry_run_tells_and_changes_nothing(api: Any) -> None:
    await api.load("username,email\nada,a@x\n")
    before = await api.everything()
    table = "username,email,manager\nada,new@x,\nbob,b@x,ada\ncyd,b@x,\n"
    assert counts(await api.load(table, "?dry_run=true")) == (1, 1, 0, 1)
    assert await api.everything() == before


async def test_all_or_nothing(api: Any) -> None:
    before = await api.everything()
    answer = await api.load("username,email\nada,a@x\nbob,a@x\n", "?atomic=true")
    assert (answer.status, answer.json["refused"], [one["line"] for one in answer.json["refusals"]]) == (422, 1, [3])
    assert await api.everything() == before
    assert counts(await api.load("username,email\nada,a@x\nbob,b@x\n", "?atomic=true")) == (2, 0, 0, 0)


async def test_lines_of_json_are_taken_too(api: Any) -> None:
    data = b'{"username":"ada","email":"a@x","hired_on":"2020-01-01"}\n\n{"username":"bob","email":"b@x","manager":"ada"}\n[1]\nnull\n'
    answer = await api("POST", "/v1/employees/import", data=data, headers=NDJSON)
    assert counts(answer) == (2, 0, 0, 2)
    answer = await api("POST", "/v1/employees/import", data=b'{"username":"bob","manager":null}', headers=NDJSON)
    assert counts(answer) == (0, 1, 0, 0)


@pytest.mark.parametrize(
    ("table", "fields"),
    [("", []), ("email\nx@y\n", ["username"]), ("username,e-mail\n", ["e-mail"]), ("username,username\na,b\n", ["username"])],
)
async def test_a_header_that_does_not_fit_refuses_the_file(lite: Any, table: str, fields: list[str]) -> None:
    answer = await lite.load(table)
    assert (answer.status, answer.fields) == (422, fields)


async def test_a_manager_id_is_not_imported(lite: Any) -> None:
    answer = await lite.load("username,email,manager_id\nada,a@x,1\n")
    assert [one["field"] for one in answer.json["refusals"]] == ["manager_id"]


async def test_an_export_names_its_file_and_type(lite: Any) -> None:
    await lite.add("ada", title="=1+1")
    answer = await lite("GET", "/v1/employees/export")
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="employees.csv"'
    assert b",=1+1," in answer.body
    assert (await lite("GET", "/v1/employees/export", headers={"Accept": "image/png"})).status == 406


@pytest.mark.parametrize("form", ["csv", "ndjson"])
async def test_an_export_comes_in_again_the_same(api: Any, lite: Any, form: str) -> None:
    await api.add("ada", display_name='Ada, "Countess"', title="日本 Ünïcode", hired_on="2020-01-01")
    await api.add("bob", 1, status="inactive", left_on="2021-01-01", external_id="x-1", phone="+1")
    await api.add("cyd", 1)
    await api("DELETE", "/v1/employees/2")
    await api.add("dee", 3)
    exported = (await api("GET", f"/v1/employees/export?format={form}")).body
    headers = {"Content-Type": "text/csv"} if form == "csv" else NDJSON
    assert counts(await lite("POST", "/v1/employees/import", data=exported, headers=headers)) == (3, 0, 0, 0)
    assert await directory(lite) == await directory(api)
    own = {"id", "manager_id", "version", "created_at", "updated_at"}
    for mine, theirs in zip(await api.walk("/v1/employees"), await lite.walk("/v1/employees"), strict=True):
        assert {name: mine[name] for name in mine.keys() - own} == {name: theirs[name] for name in theirs.keys() - own}
    assert counts(await api("POST", "/v1/employees/import", data=exported, headers=headers)) == (0, 0, 3, 0)


def forests() -> st.SearchStrategy[list[int | None]]:
    """For each of up to forty people, the number of an earlier one who manages them, or None."""
    return st.integers(1, 40).flatmap(
        lambda size: st.tuples(*(st.none() | st.integers(0, max(0, number - 1)) if number else st.none() for number in range(size))).map(
            list
        )
    )


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(forest=forests(), seed=st.integers(0, 2**32))
async def test_any_order_of_rows_gives_the_same_directory(lite: Any, forest: list[int | None], seed: int) -> None:
    for _ in range(2):  # into an empty directory, then from one forest to another
        rows = [(f"p{number}", "" if manager is None else f"p{manager}") for number, manager in enumerate(forest)]
        random.Random(seed).shuffle(rows)
        answer = await lite.load("username,email,manager\n" + "".join(f"{name},{name}@x,{manager}\n" for name, manager in rows))
        assert answer.json["refused"] == 0, answer.body
        found = await directory(lite)
        assert {name: found[name][3] or "" for name, _ in rows} == dict(rows)
        forest = [None if manager is None else len(forest) - 1 - manager for manager in forest][::-1]

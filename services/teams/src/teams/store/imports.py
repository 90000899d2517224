"""Rows of imports, applied in batches inside a unit: by slug, and by slug and employee. What is refused or waits has written nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select

from shared.changes import Author
from shared.db import Connection, Query, any_of
from shared.imports import Outcome, Refused, Waits
from shared.records import Record
from teams.models import memberships
from teams.models import teams as table
from teams.store import members, teams

Row = Mapping[str, Any]
"""A row's values; a column that the file has not is absent, an empty cell is None."""

_BY_SLUG = Query(select(table).where(any_of(table.c.slug, "slugs")))
_IDS = Query(select(table.c.slug, table.c.id).where(any_of(table.c.slug, "slugs")))
_KNOWN = Query(select(memberships).where(any_of(memberships.c.employee_id, "employee_ids"), any_of(memberships.c.team_id + 0, "team_ids")))
"""`+ 0` keeps SQLite from probing every pair of the two lists: people are in few teams each."""


def apply_teams(conn: Connection, rows: Sequence[Row], author: Author) -> list[Outcome]:
    """Teams by slug; `parent` is a slug too, which may be a row's before it."""
    named = {row["parent"] for row in rows if row.get("parent")}
    slugs = named | {row["slug"] for row in rows}
    known = {record["slug"]: record for record in map(teams.RECORDS.record, conn.all(_BY_SLUG, slugs=sorted(slugs)))}
    parents = teams.parents_above(conn, [known[slug]["id"] for slug in named & known.keys()]) if named else {}
    return [_apply_team(conn, row, known, parents, author) for row in rows]


def _apply_team(conn: Connection, row: Row, known: dict[str, Record], parents: dict[int, int | None], author: Author) -> Outcome:
    """`known` and `parents` (see `teams.parents_above`) are kept up for the rows that follow."""
    before = known.get(row["slug"])
    values = {name: row[name] for name in ("name", "description", "external_id") if name in row}
    if values.get("name", "" if before else None) is None:
        return Refused("name", "required")
    if "parent" in row:
        parent = known.get(row["parent"]) if row["parent"] else None
        if row["parent"] and parent is None:
            return Waits("parent", f"there is no team {row['parent']}", absent=True)
        values["parent_id"] = parent["id"] if parent else None
        moves = parent is not None and (before is None or before["parent_id"] != parent["id"])
        if parent and moves and (fault := teams.fault_of_parent(conn, parents, parent["id"], before["id"] if before else None)):
            return Waits("parent", fault)
    after = teams.add(conn, {"slug": row["slug"], **values}, author) if before is None else teams.change(conn, before, values, author)
    known[row["slug"]] = after
    parents[after["id"]] = after["parent_id"]
    return "created" if before is None else "unchanged" if after is before else "updated"


def apply_memberships(conn: Connection, rows: Sequence[Row], author: Author, *, following: bool) -> list[Outcome]:
    """Memberships by team (a slug) and employee_id. An empty role is `member`; an empty since stays, or is today."""
    ids: dict[str, int] = dict(conn.all(_IDS, slugs=sorted({row["team"] for row in rows})))
    people = sorted({row["employee_id"] for row in rows})
    gone = members.deleted_among(conn, people) if following else set()
    found = map(members.RECORDS.record, conn.all(_KNOWN, team_ids=sorted(ids.values()), employee_ids=people))
    known = {(record["team_id"], record["employee_id"]): record for record in found}
    today = conn.now()[:10]
    outcomes: list[Outcome] = []
    added: list[Row] = []
    for row in rows:
        team_id = ids.get(row["team"])
        if team_id is None:
            outcomes.append(Refused("team", f"there is no team {row['team']}"))
        elif row["employee_id"] in gone:
            outcomes.append(Refused("employee_id", f"employee {row['employee_id']} has been deleted"))
        elif before := known.get((team_id, row["employee_id"])):
            values = {"role": row.get("role", before["role"]) or "member", "since": row.get("since") or before["since"]}
            outcomes.append("unchanged" if members.RECORDS.change(conn, before, values, author) is before else "updated")
        else:
            values = {"role": row.get("role") or "member", "since": row.get("since") or today}
            added.append({"team_id": team_id, "employee_id": row["employee_id"], **values})
            outcomes.append("created")
    members.RECORDS.add_many(conn, added, author)
    return outcomes

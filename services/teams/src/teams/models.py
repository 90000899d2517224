"""The tables of teams. Columns are primitive and mean the same on SQLite and PostgreSQL.

`name_key` and `words` are computed by `computed`, never null, and compared byte by byte. A table that ends in `_versions` keeps every
state that a record had; the log and its company come from `shared.changes`. `people` and `follower` are what is known from the
feed of employees: no records, but a copy that can be read again; `absences` tells whom it showed as inactive or gone, and when.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, MetaData, Table, Text, UniqueConstraint

from shared.changes import log_tables
from shared.db import exact_text
from shared.following import follower_table
from shared.records import index_versions, versions
from shared.words import fold, words

FIELDS = ("id", "slug", "name", "description", "parent_id", "external_id", "version", "created_at", "updated_at")
"""What a team's document shows, in this order."""

MEMBERSHIP_FIELDS = ("id", "team_id", "employee_id", "role", "since", "version", "created_at", "updated_at")
"""The same of a membership."""

MAX_DEPTH = 1000
"""Levels of the tree: with it the paths and the recursions over the tree are bounded."""

MAX_PATHS = 5
"""Paths told for each effective member."""

metadata = MetaData()
log = log_tables(metadata, history=True)

teams = Table(
    "teams",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("slug", exact_text(), nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text),
    Column("parent_id", BigInteger, ForeignKey("teams.id")),
    Column("external_id", Text),
    Column("version", BigInteger, nullable=False),
    Column("created_at", exact_text(), nullable=False),
    Column("updated_at", exact_text(), nullable=False),
    Column("name_key", exact_text(), nullable=False),
    Column("words", exact_text(), nullable=False),
    UniqueConstraint("slug", name="uq_teams_slug"),
)
for _name in ("parent_id", "name_key", "created_at", "updated_at"):
    Index(f"ix_teams_{_name}", teams.c[_name], teams.c.id)

team_tokens = Table(
    "team_tokens",
    metadata,
    Column("token", exact_text(), primary_key=True),
    Column("team_id", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

memberships = Table(
    "memberships",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("team_id", BigInteger, ForeignKey("teams.id"), nullable=False),
    Column("employee_id", BigInteger, nullable=False),  # employees are another service's: no foreign key
    Column("role", Text, nullable=False),
    Column("since", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("updated_at", Text, nullable=False),
    UniqueConstraint("team_id", "employee_id", name="uq_memberships_team_id_employee_id"),
)
Index("ix_memberships_employee_id", memberships.c.employee_id, memberships.c.team_id)

teams_versions = versions(teams)
memberships_versions = versions(memberships)
index_versions(teams_versions, "parent_id", "slug")
index_versions(memberships_versions, "employee_id")
for _name in ("employee_id", "seq_from", "seq_to"):  # a team's members, and its history
    Index(f"ix_memberships_versions_team_id_{_name}", memberships_versions.c.team_id, memberships_versions.c[_name])

people = Table(
    "people",
    metadata,
    Column("employee_id", BigInteger, primary_key=True, autoincrement=False),
    Column("username", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("born", Text, nullable=False),  # created_at: after a restore, an id may be another person's
    Column("seq", BigInteger, nullable=False),
    Column("reading", BigInteger, nullable=False),  # the reading of the feed that met this person last
)
Index("ix_people_reading", people.c.reading)

absences = Table(  # from when to when (null: still) someone was known to be inactive or deleted, by the log's times
    "absences",
    metadata,
    Column("employee_id", BigInteger, primary_key=True, autoincrement=False),
    Column("at_from", exact_text(), primary_key=True),
    Column("at_to", exact_text()),
)

follower = follower_table(metadata)


def computed(values: Mapping[str, Any]) -> dict[str, Any]:
    """The key columns of a team's values.

    `words` holds what a search finds, each word after a blank: " admins bots owners".
    """
    return {"name_key": fold(values["name"]), "words": "".join(f" {word}" for word in words(values["slug"], values["name"]))}

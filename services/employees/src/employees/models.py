"""The tables of employees. Columns are primitive and mean the same on SQLite and PostgreSQL.

A column `…_key` and `words` are computed by `computed` from the others, never null, and compared byte by byte.
`employees_versions` keeps every state of a record; the log and its company come from `shared.changes`.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, Index, MetaData, Table, Text, UniqueConstraint

from shared.changes import log_tables
from shared.db import exact_text
from shared.records import index_versions, versions
from shared.words import fold, words

metadata = MetaData()
log = log_tables(metadata, history=True)

employees = Table(
    "employees",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("username", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("given_name", Text),
    Column("family_name", Text),
    Column("display_name", Text),
    Column("title", Text),
    Column("department", Text),
    Column("division", Text),
    Column("cost_center", Text),
    Column("employee_number", exact_text()),
    Column("phone", Text),
    Column("location", Text),
    Column("manager_id", BigInteger, ForeignKey("employees.id")),
    Column("status", Text, nullable=False),
    Column("hired_on", Text),
    Column("left_on", Text),
    Column("external_id", Text),
    Column("version", BigInteger, nullable=False),
    Column("created_at", exact_text(), nullable=False),
    Column("updated_at", exact_text(), nullable=False),
    Column("username_key", exact_text(), nullable=False),
    Column("email_key", exact_text(), nullable=False),
    Column("display_name_key", exact_text(), nullable=False),
    Column("department_key", exact_text(), nullable=False),
    Column("title_key", exact_text(), nullable=False),
    Column("hired_on_key", exact_text(), nullable=False),
    Column("words", exact_text(), nullable=False),
    UniqueConstraint("username_key", name="uq_employees_username_key"),
    UniqueConstraint("email_key", name="uq_employees_email_key"),
    UniqueConstraint("employee_number", name="uq_employees_employee_number"),
)
for _name in ("manager_id", "status", "display_name_key", "department_key", "title_key", "hired_on_key", "created_at", "updated_at"):
    Index(f"ix_employees_{_name}", employees.c[_name], employees.c.id)

employee_tokens = Table(
    "employee_tokens",
    metadata,
    Column("token", exact_text(), primary_key=True),
    Column("employee_id", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

employees_versions = versions(employees)
index_versions(employees_versions, "manager_id", "status", "department_key", "username_key", "email_key")

FIELDS = tuple(str(column.name) for column in employees.columns if not column.name.endswith("_key") and column.name != "words")
KEPT = ("id", "manager_id", "status", "version", "created_at", "updated_at")
"""What stays of someone who was erased: no personal data, and others' lines and teams would have holes without it."""

WRITABLE = tuple(name for name in FIELDS if name not in ("id", "version", "created_at", "updated_at"))


def computed(values: Mapping[str, Any]) -> dict[str, Any]:
    """The key columns of an employee's values.

    `words` holds what a search finds, each word after a blank: " doe engineer jane".
    """
    found = words(*(values[name] for name in ("username", "email", "given_name", "family_name", "display_name", "title")))
    return {
        "username_key": fold(values["username"]),
        "email_key": fold(values["email"]),
        "display_name_key": fold(values["display_name"]),
        "department_key": fold(values["department"]),
        "title_key": fold(values["title"]),
        "hired_on_key": values["hired_on"] or "",
        "words": "".join(f" {word}" for word in found),
    }


def erased(employee_id: int) -> dict[str, Any]:
    """What takes the place of the personal columns of someone who is erased; no letter ever reaches `.invalid` (RFC 2606, section 2)."""
    name = f"erased-{employee_id}"
    blank = {field: None for field in FIELDS if field not in KEPT} | {"username": name, "email": f"{name}@erased.invalid"}
    return blank | computed(blank)


def is_erased(employee: Mapping[str, Any]) -> bool:
    """Whether this is what stays of someone who was erased."""
    return all(employee[name] == value for name, value in erased(employee["id"]).items())

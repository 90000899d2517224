"""Names for a broken uniqueness rule that are the same from both databases."""

from collections.abc import Iterator

from sqlalchemy import Table, UniqueConstraint

from shared.db.errors import UniqueViolation


def from_columns(table: Table | None, name: str, columns: tuple[str, ...]) -> UniqueViolation:
    """SQLite tells the columns; the constraint is the one of the models that has them."""
    if table is not None and table.name == name:
        for constraint, found in _rules(table):
            if set(found) == set(columns):
                return UniqueViolation(name, found, constraint)
    return UniqueViolation(name, columns, None)


def from_constraint(table: Table | None, name: str, constraint: str) -> UniqueViolation:
    """PostgreSQL tells the constraint; the columns are those that the models give it."""
    if table is not None and table.name == name:
        for known, columns in _rules(table):
            if known == constraint:
                return UniqueViolation(name, columns, known)
    return UniqueViolation(name, (), constraint)


def _rules(table: Table) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every uniqueness rule of a table with the name that PostgreSQL knows it by."""
    key = tuple(column.name for column in table.primary_key)
    yield str(table.primary_key.name or f"{table.name}_pkey"), key
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            columns = tuple(column.name for column in constraint.columns)
            yield str(constraint.name or f"{table.name}_{'_'.join(columns)}_key"), columns
    for index in table.indexes:
        if index.unique:
            yield str(index.name), tuple(column.name for column in index.columns)

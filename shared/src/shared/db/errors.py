"""What a database can refuse.

StoreError
├── InvalidParameter      a value that no database could store or compare: the caller's input, a 400 or 422
├── ConstraintViolation   a foreign key, a check, a NOT NULL
│   └── UniqueViolation   a value that must be unique exists already: a 409
├── Unavailable           the database can't be reached, is full, or is closed: a 503
└── NotMigrated           the database has no tables yet, or is not this service's: refused at start
"""


class StoreError(Exception):
    """Whatever the database layer raises."""


class InvalidParameter(StoreError, ValueError):
    """A value that can't be stored alike on both databases: a NUL, a lone surrogate, an integer beyond 64 bits.

    ``parameter`` is the name of the bind parameter, which is mostly the name of the field or filter.
    """

    def __init__(self, parameter: str, reason: str) -> None:
        super().__init__(f"{parameter}: {reason}")
        self.parameter = parameter
        self.reason = reason


class ConstraintViolation(StoreError):
    """A row broke a rule of the schema; the unit that wrote it leaves nothing behind."""


class UniqueViolation(ConstraintViolation):
    """A row with these values exists already.

    ``table`` and ``columns`` (in the constraint's order) say which; ``constraint`` is the constraint's name as the models declare it. All
    three are the same from SQLite and PostgreSQL.
    """

    def __init__(self, table: str, columns: tuple[str, ...], constraint: str | None) -> None:
        super().__init__(f"{table}: there is one with the same {', '.join(columns)} already")
        self.table = table
        self.columns = columns
        self.constraint = constraint


class Unavailable(StoreError):
    """The database can't do its work at the moment: not reachable, full, locked for too long, or closed.

    A write that ends so was not stored, unless ``uncertain`` is true: then the connection was lost during the commit.
    """

    def __init__(self, reason: str, *, uncertain: bool = False) -> None:
        super().__init__(reason)
        self.uncertain = uncertain


class NotMigrated(StoreError):
    """The database lacks its tables; the message says what to run."""

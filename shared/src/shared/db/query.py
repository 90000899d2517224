"""Statements, written once with SQLAlchemy Core and compiled once per database."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final, Literal, cast

import msgspec
from sqlalchemy import BigInteger, Boolean, Executable, Integer, Table, Text, bindparam
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.dialects.postgresql.base import PGTypeCompiler
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.functions import FunctionElement

from shared.db.errors import InvalidParameter

DialectName = Literal["sqlite", "postgresql"]
_MAYBE_TOO_BIG: Final = re.compile(rb"[0-9]{19}")
_PLAIN = frozenset({str, int, bool, float, bytes, type(None)})
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class _WideIntegers(PGTypeCompiler):
    """Binds every integer as 64 bits: SQLite knows no narrower one."""

    def visit_INTEGER(self, type_: Any, **_options: Any) -> str:  # noqa: N802 - SQLAlchemy's name
        return "BIGINT"


_SQLITE: Dialect = SQLiteDialect_pysqlite(paramstyle="qmark")
_POSTGRESQL: Dialect = PGDialect_asyncpg()  # type: ignore[no-untyped-call]  # SQLAlchemy's constructor is untyped
_POSTGRESQL.type_compiler_instance = _WideIntegers(_POSTGRESQL)


class _AnyOf(FunctionElement[bool]):
    """``column IN (a list that is one parameter)``."""

    inherit_cache = True
    name = "any_of"
    type = Boolean()
    _is_implicitly_boolean = True  # otherwise SQLite gets "... = 1", which no index serves


@compiles(_AnyOf, "sqlite")
def _any_of_sqlite(element: _AnyOf, compiler: SQLCompiler, **options: Any) -> str:
    column, values = element.clauses
    items = compiler.process(values, **options)
    return f"({compiler.process(column, **options)} IN (SELECT value FROM json_each({items})))"  # noqa: S608 - both parts are compiled


@compiles(_AnyOf, "postgresql")
def _any_of_postgresql(element: _AnyOf, compiler: SQLCompiler, **options: Any) -> str:
    column, values = element.clauses
    return f"({compiler.process(column, **options)} = ANY({compiler.process(values, **options)}))"


def any_of(column: ColumnElement[Any], parameter: str) -> ColumnElement[bool]:
    """``column IN (parameter)``, where the parameter is a list of integers or texts, bound whole: one statement for every length."""
    item = BigInteger() if isinstance(column.type, Integer) else Text()
    return _AnyOf(column, bindparam(parameter, type_=ARRAY(item)))


@dataclass(frozen=True, slots=True)
class Compiled:
    """A statement in one database's words: its text, and how the named parameters become positional values."""

    text: str
    names: tuple[str, ...]
    defaults: Mapping[str, Any]
    required: frozenset[str]
    booleans: tuple[int, ...]
    dialect: DialectName
    table: Table | None

    def bind(self, params: Mapping[str, Any]) -> list[Any]:
        """The values in the statement's order.

        Raises InvalidParameter for a value that can't be stored alike on both databases, TypeError for a missing or unknown parameter.
        """
        if params.keys() != self.required:
            missing, unknown = sorted(self.required - params.keys()), sorted(params.keys() - self.required)
            raise TypeError(f"parameters missing: {missing}, unknown: {unknown}, for {self.text}")
        source = {**self.defaults, **params} if self.defaults else params
        values = [source[name] for name in self.names]
        for position, value in enumerate(values):
            kind = type(value)
            if kind is str:
                if not value.isascii() or "\0" in value:
                    check_value(self.names[position], value)
            elif kind is int:
                if not -0x8000000000000000 <= value <= 0x7FFFFFFFFFFFFFFF:
                    check_value(self.names[position], value)
            elif isinstance(value, list | tuple | set | frozenset):
                values[position] = self._bind_list(self.names[position], value)
        return values

    def bind_many(self, rows: Sequence[Mapping[str, Any]]) -> Sequence[Sequence[Any]]:
        """As `bind` for each row. Rows of plain values are checked together, in a pass or two of C instead of one of Python for each
        value; rows that may hold what can't be stored are looked at one by one.
        """
        first = rows[0]
        if self.defaults or len(self.names) < 2 or first.keys() != self.required or not _PLAIN.issuperset(map(type, first.values())):
            return [self.bind(row) for row in rows]
        try:
            values: list[tuple[Any, ...]] = list(map(itemgetter(*self.names), rows))
            text = msgspec.json.encode(values)
        except (KeyError, UnicodeEncodeError, OverflowError, TypeError):
            return [self.bind(row) for row in rows]
        if b"\\u0000" in text or _MAYBE_TOO_BIG.search(text) is not None:
            return [self.bind(row) for row in rows]
        return values

    def _bind_list(self, name: str, items: Any) -> Any:
        check_value(name, items)
        return msgspec.json.encode(list(items)).decode() if self.dialect == "sqlite" else list(items)


def check_value(name: str, value: object) -> None:
    """Raise InvalidParameter for a value, or a list with a value, that PostgreSQL, SQLite or UTF-8 can't hold."""
    if isinstance(value, list | tuple | set | frozenset):
        for item in value:
            check_value(name, item)
    if isinstance(value, str) and _UNSTORABLE.search(value):
        raise InvalidParameter(name, "holds a NUL character" if "\0" in value else "holds half of a surrogate pair")
    if isinstance(value, int) and not -0x8000000000000000 <= value <= 0x7FFFFFFFFFFFFFFF:
        raise InvalidParameter(name, "is beyond 64 bits")


class Query:
    """A statement to be run many times; its parameters are ``bindparam("name")``, given by name at every run.

    Compiled on first use, once per database. A list parameter stands in `any_of` only; values fixed in the statement (a literal, a limit)
    need not be given. An ``insert(table)`` without values takes every column of the table.
    """

    __slots__ = ("_compiled", "statement")

    def __init__(self, statement: Executable) -> None:
        self.statement = statement
        self._compiled: dict[DialectName, Compiled] = {}

    def compiled(self, dialect: DialectName) -> Compiled:
        """This statement for one database."""
        found = self._compiled.get(dialect)
        if found is None:
            found = self._compiled[dialect] = _compile(self.statement, dialect)
        return found


def _compile(statement: Executable, dialect: DialectName) -> Compiled:
    compiler = cast("Any", statement).compile(dialect=_SQLITE if dialect == "sqlite" else _POSTGRESQL)
    binds = list(compiler.binds.values())
    required = frozenset(bind.key for bind in binds if bind.required)
    if any(bind.required and bind.expanding for bind in binds):
        raise TypeError("a list parameter has no length when its statement is compiled: use any_of(column, parameter)")
    if compiler.post_compile_params:
        expanded = compiler.construct_expanded_state(dict.fromkeys(required))
        text, names, values = expanded.statement, expanded.positiontup, expanded.additional_parameters
    else:
        text, names, values = compiler.string, compiler.positiontup or (), {}
    defaults = {**compiler.construct_params(dict.fromkeys(required)), **values}
    columns = compiler._result_columns if dialect == "sqlite" else ()
    return Compiled(
        text=text,
        names=tuple(names),
        defaults={name: defaults[name] for name in names if name not in required},
        required=required,
        booleans=tuple(i for i, column in enumerate(columns) if isinstance(column.type, Boolean)),
        dialect=dialect,
        table=getattr(statement, "table", None),
    )

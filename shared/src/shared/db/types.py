"""Column types that mean the same on SQLite and PostgreSQL."""

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import BigInteger, Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.types import TypeEngine


def exact_text() -> TypeEngine[str]:
    """Text that compares and sorts byte by byte on both databases (code point order): for keys, times, tokens, whatever is compared."""
    return Text().with_variant(Text(collation="C"), "postgresql")


@compiles(BigInteger, "sqlite")
def _rowid(_type: BigInteger, _compiler: Any, **_options: Any) -> str:
    # Only a column of exactly this type name is SQLite's rowid; its integers have 64 bits in any case.
    return "INTEGER"


@dataclass(frozen=True, slots=True)
class Change:
    """One row of the log: what was done to which record, when and by whom. ``at`` is fixed-width UTC text, ``seq`` counts from 1 without
    gaps.
    """

    seq: int
    at: str
    entity: str
    entity_id: int
    version: int
    kind: Literal["created", "updated", "deleted", "erased"]
    actor: str
    request_id: str

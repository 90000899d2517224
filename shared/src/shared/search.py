"""Search by words: every word asked for is the beginning of a word in the row.

A row has a column `words` (" doe engineer jane"), and a table (token, id) has each of its words. A rare word is looked up among the
tokens; a frequent one is looked for in the rows, while a list walks them in its order. Both say the same.
"""

from typing import Any, Final

from sqlalchemy import Column, Table, bindparam, select

from shared.db import Database, Query, any_of
from shared.pages import Filter
from shared.words import words

MAX_WORDS: Final = 10
RARE: Final = 1000
"""A word with at most so many hits is rare."""

_WORDS: Final = tuple(f"word{number}" for number in range(MAX_WORDS))


class WordSearch:
    """The search of one table; `filters` belong into its Listing, `find` says which of them are in force."""

    def __init__(self, id_: Column[int], words_: Column[str], tokens: Table) -> None:
        token, owner = tokens.columns
        self.filters: dict[str, Filter] = {name: words_.like(bindparam(name)) for name in _WORDS} | {"found": any_of(id_, "found")}
        hits = select(owner).where(token >= bindparam("word"), token < bindparam("end")).limit(RARE + 1)
        self._hits = Query(hits)

    async def find(self, db: Database, q: str | None) -> dict[str, Any]:
        """The filters that keep the rows with all words of `q` (at most ten are looked at)."""
        if not q:
            return {}
        filters: dict[str, Any] = {}
        found: set[int] | None = None
        for name, word in zip(_WORDS, words(q), strict=False):
            hits = await db.all(self._hits, word=word, end=f"{word}\U0010ffff")
            if len(hits) > RARE:
                filters[name] = f"% {word}%"
            else:
                ids = {hit[0] for hit in hits}
                found = ids if found is None else found & ids
        if found is not None:
            filters["found"] = sorted(found)
        return filters

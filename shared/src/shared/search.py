"""Search by words: every word asked for is the beginning of a word in the row.

A row has a column `words` (" doe engineer jane"), and a table (token, id) has each of its words. Who can match at all is looked up
among the tokens of the rarest words; frequent words are looked for in the rows, while a list walks them in its order.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Table, and_, bindparam, select, true

from shared.db import Query, Reader, any_of
from shared.errors import BadRequest
from shared.pages import Clause, Filter
from shared.words import words

MAX_WORDS: Final = 10
RARE: Final = 1000
"""A word with at most so many hits is rare."""
COMMON: Final = 20_000
"""Hits up to which words are looked up to see who has them all, when none of them is rare."""


class WordSearch:
    """The search of one table; `filters` belong into its Listing, `find` says which of them are in force."""

    def __init__(self, id_: Column[int], words_: Column[str], tokens: Table) -> None:
        self._id, self._words = id_, words_
        token, owner = tokens.columns
        self.filters: dict[str, Filter] = {"words": self._has, "among": self._among}
        hits = select(owner).where(token >= bindparam("word"), token < bindparam("end"))
        self._hits = Query(hits.limit(bindparam("most", type_=BigInteger)))

    async def find(self, db: Reader, q: str | None) -> dict[str, Any]:
        """The filters that keep the rows with all words of `q`. Raises BadRequest naming `q` when it has none, or more than ten."""
        wanted = words(q)
        if q is not None and not wanted:
            raise BadRequest.of("q", "has no word: a letter or a digit is needed")
        if len(wanted) > MAX_WORDS:
            raise BadRequest.of("q", f"has more than {MAX_WORDS} words")
        among = await self._owners(db, wanted, RARE)
        if among is None and len(wanted) > 1:
            among = await self._owners(db, wanted, COMMON)
            among = None if among is None or len(among) > 3 * RARE else among  # the more there are, the sooner a walk has filled a page
        return {"words": wanted or None, "among": None if among is None else sorted(among)}

    async def _owners(self, db: Reader, wanted: Sequence[str], most: int) -> set[int] | None:
        """Who has all those words that at most so many have; None when each has more."""
        owners: set[int] | None = None
        for word in wanted:
            hits = await db.all(self._hits, word=word, end=f"{word}\U0010ffff", most=most + 1)
            if len(hits) <= most:
                found = {hit[0] for hit in hits}
                owners = found if owners is None else owners & found
        return owners

    def _has(self, wanted: Sequence[str]) -> Clause:
        likes = [self._words.like(bindparam(f"word{place}")) for place in range(len(wanted))]
        return Clause(len(wanted), and_(true(), *likes), {f"word{place}": f"% {word}%" for place, word in enumerate(wanted)})

    def _among(self, ids: Sequence[int]) -> Clause:
        """Whom the tokens gave: others may come and go between two pages, so a cursor does not tell of them."""
        return Clause("among", any_of(self._id, "among"), {"among": ids}, told={}, few=True)

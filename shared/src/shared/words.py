"""Text made comparable: the keys that say two texts are the same, and the words that a search finds.

Both are computed here, in Python, and stored, so that SQLite and PostgreSQL compare bytes and give the same answers.
"""

import re
import unicodedata

LONGEST_WORD = 64
"""Characters kept of a word: an index entry stays small, and a query word is cut alike."""

_WORD = re.compile(r"[^\W_]+")


def fold(text: str | None) -> str:
    """The key under which a text is unique and sorted: canonical caseless (Unicode 3.13, D145), '' for None."""
    if text is None:
        return ""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())


def is_plain(text: str) -> bool:
    """Whether a name can't be taken for another that is written in other characters, or with some that nobody sees: it has no compatibility
    forms (fullwidth letters) and no format characters, as in PRECIS' UsernameCaseMapped (RFC 8265, section 3.3).
    """
    return text.isascii() or (unicodedata.is_normalized("NFKC", text) and not any(unicodedata.category(c) == "Cf" for c in text))


def words(*texts: str | None) -> list[str]:
    """The distinct words of some texts, sorted: without case and accents, split at all that is neither letter nor digit."""
    text = " ".join(filter(None, texts))
    if text.isascii():
        return sorted({word[:LONGEST_WORD] for word in _WORD.findall(text.lower())})
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return sorted({word[:LONGEST_WORD] for word in _WORD.findall(plain.casefold())})

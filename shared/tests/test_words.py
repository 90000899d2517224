"""Keys and words: what is the same to a reader is the same to the database."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.words import LONGEST_WORD, fold, words

texts = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize(("one", "other"), [("ADA", "ada"), ("STRASSE", "straße"), ("Å", "A\u030a"), ("ΣΊΣΥΦΟΣ", "σίσυφος"), (None, "")])
def test_the_same_without_regard_to_case_has_one_key(one: str | None, other: str) -> None:
    assert fold(one) == fold(other)


@given(texts)
def test_a_key_is_its_own_key(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Jane DOE", ["doe", "jane"]),
        ("jane.doe@example.org", ["doe", "example", "jane", "org"]),
        ("Zoë Ångström-Müller", ["angstrom", "muller", "zoe"]),
        ("O'Hara_2", ["2", "hara", "o"]),
        ("日本 語", ["日本", "語"]),
        ("x" * 100, ["x" * LONGEST_WORD]),
        ("!?", []),
    ],
)
def test_words_are_told_apart_by_letters_and_digits(text: str, found: list[str]) -> None:
    assert words(text) == found


@given(texts, texts)
def test_the_words_of_two_texts_are_the_words_of_each(one: str, other: str) -> None:
    assert words(one, None, other) == sorted({*words(one), *words(other)})


@given(texts)
def test_words_have_nothing_that_a_pattern_or_a_blank_would_mean(text: str) -> None:
    assert all(word.isalnum() and not {"%", "_", " ", "\\"} & set(word) for word in words(text))

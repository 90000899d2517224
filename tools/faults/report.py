"""What was found, put into docs/operations.md between its marks."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

DOCUMENT: Final = Path("docs/operations.md")
FIGURES: Final = ("<!-- figures: written by make faults ARGS=--write -->", "<!-- end of figures -->")
MODES: Final = ('<!-- transcripts: written by make faults ARGS="modes --write" -->', "<!-- end of transcripts -->")


def write_figures(found: Mapping[str, str]) -> None:
    """One line a scenario; those of scenarios that did not run now stay."""
    kept = dict(re.findall(r"^- `([\w-]+)`: (.*)$", _between(FIGURES), flags=re.MULTILINE))
    _put(FIGURES, "\n".join(f"- `{name}`: {line}" for name, line in {**kept, **found}.items()))


def write_transcripts(modes: Iterable[tuple[str, str, Sequence[str]]]) -> None:
    """(title, what it says, lines) of every mode."""
    _put(MODES, "\n\n".join(f"### {title}\n\n{what}\n\n```console\n{chr(10).join(lines)}\n```" for title, what, lines in modes))


def _between(marks: tuple[str, str]) -> str:
    return DOCUMENT.read_text("utf-8").partition(marks[0])[2].partition(marks[1])[0]


def _put(marks: tuple[str, str], text: str) -> None:
    before, begin, rest = DOCUMENT.read_text("utf-8").partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if not (begin and end):
        raise ValueError(f"{DOCUMENT} lacks the mark {marks[0]} or {marks[1]}")
    DOCUMENT.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", "utf-8")

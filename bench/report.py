"""The table, as text for a terminal and as Markdown for docs/performance.md."""

from collections.abc import Sequence
from pathlib import Path

from bench.machine import describe
from bench.scene import Figure, Scale

DOCUMENT = Path("docs/performance.md")
BEGIN, END = "<!-- figures: written by make bench ARGS=--write -->", "<!-- end of figures -->"

_HEAD = ("", "what", "target", "ours", "peer", "ratio", "reached")


def table(figures: Sequence[Figure]) -> str:
    """Columns for a terminal, with the notes below."""
    rows = [_HEAD, *(_cells(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*lines, "", *_notes(figures)])


def markdown(figures: Sequence[Figure], scale: Scale, command: str) -> str:
    """The same with what a reader must know to judge it."""
    head = ["| " + " | ".join(row) + " |" for row in (_HEAD, tuple("---" for _ in _HEAD))]
    rows = ["| " + " | ".join(_cells(figure)) + " |" for figure in figures]
    machine = [f"- {line}" for line in describe()]
    rounds = f"- {scale.rounds} rounds of {scale.seconds:g} s for each side in turn, each after {scale.warmup:g} s; medians, least and most"
    return "\n".join([f"`{command}` on:", "", *machine, rounds, "", *head, *rows, "", *(f"- {note}" for note in _notes(figures))])


def write(text: str) -> None:
    """Put the figures into the document, between its marks."""
    before, _, rest = DOCUMENT.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    DOCUMENT.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", "utf-8")


def _cells(figure: Figure) -> tuple[str, ...]:
    reached = "–" if figure.target == "–" else "yes" if figure.reached else "no"
    return figure.name, figure.what, figure.target, figure.ours, figure.peer, figure.ratio, reached


def _notes(figures: Sequence[Figure]) -> list[str]:
    return [f"{figure.name}: {note}" for figure in figures for note in figure.notes]

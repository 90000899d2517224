"""Which documented answers have been given: a row for each operation, a column for each status."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from shared.openapi.contract import Document
from shared.testing.answers import Rules, Seen
from tools.contracts.exercise.documents import operations


@dataclass(frozen=True)
class Coverage:
    """How often each documented (operation, status) was answered."""

    documented: Mapping[tuple[str, int], int]

    @property
    def missing(self) -> list[tuple[str, int]]:
        return [pair for pair, times in self.documented.items() if not times]

    def table(self) -> str:
        """For people: operations by statuses, the number of answers in each place, `-` for none, blank where none is documented."""
        statuses = sorted({status for _, status in self.documented})
        names = list(dict.fromkeys(name for name, _ in self.documented))
        width = max(map(len, names))
        lines = [" " * width + "".join(f"{status:>6}" for status in statuses)]
        for name in names:
            cells = [self.documented.get((name, status)) for status in statuses]
            lines.append(name.ljust(width) + "".join(f"{'' if cell is None else cell or '-':>6}" for cell in cells))
        done = sum(1 for times in self.documented.values() if times)
        return "\n".join([*lines, f"{done} of {len(self.documented)} documented answers were given"])


def coverage_of(document: Document, seen: Iterable[Seen]) -> Coverage:
    """What these answers cover of a document."""
    rules = Rules(document)
    given: Counter[tuple[str, int]] = Counter()
    for one in seen:
        found = rules.operation(one)
        if found is not None:
            given[found["operationId"], one.status] += 1
    return Coverage({(one.name, status): given[one.name, status] for one in operations(document) for status in sorted(one.statuses)})

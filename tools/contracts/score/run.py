"""The run: what the exercise of a service asked and got, judged again with every answer changed by every mutant.

The judges are those of the tests: the case's own expectations (`tests/contract/test_exercise.py`), today's document
(the same, and `shared.testing.answers` everywhere), and what is promised, which lets answers grow (`tests/contract/test_released.py`).
No judge compares with a copy of an answer.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.testing.answers import Rules
from tools.contracts.differences import compare
from tools.contracts.exercise.documents import Operation
from tools.contracts.exercise.stage import Answered
from tools.contracts.score.mutants import Mutant, harmless, mutants

Pairs = Mapping[tuple[str, int], Sequence[Answered]]


@dataclass
class Score:
    """What came of a service's mutants."""

    service: str
    caught: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    survivors: list[Mutant] = field(default_factory=list)
    promised: int = 0
    """Those that are caught although today's document was changed with the code."""
    false_alarms: list[str] = field(default_factory=list)
    harmless: int = 0
    sample: list[Mutant] = field(default_factory=list)
    disagreements: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(self.caught.values()) + len(self.survivors)

    @property
    def share(self) -> float:
        return sum(self.caught.values()) / self.total if self.total else 0.0

    def text(self) -> str:
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(self.caught.items()))
        lines = [
            f"{self.service}: {sum(self.caught.values())} of {self.total} mutants caught, {self.share:.2%} ({kinds})",
            f"  {self.promised / max(self.total, 1):.2%} by what was promised alone, as if today's document had been changed with the code",
            f"  {len(self.false_alarms)} of {self.harmless} harmless changes raised an alarm",
            f"  {len(self.sample)} mutants were lived as well, {len(self.disagreements)} of them otherwise than judged",
            *(f"  otherwise: {one}" for one in self.disagreements),
            *(f"  survives: {one}" for one in self.survivors),
            *(f"  false alarm: {one}" for one in self.false_alarms),
        ]
        return "\n".join(lines)


def pairs_of(rules: Rules, record: Iterable[Answered]) -> Pairs:
    """The record by operation and status; only what was as expected."""
    found: dict[tuple[str, int], list[Answered]] = defaultdict(list)
    for one in record:
        if not one.faults(rules):
            found[one.case.operation, one.case.status].append(one)
    return found


def all_mutants(operations: Mapping[str, Operation], pairs: Pairs) -> Iterator[Mutant]:
    """Of every operation and status that was answered."""
    for (name, status), answered in pairs.items():
        accepted = next((pairs[name, code][0].seen for code in (200, 201, 204) if (name, code) in pairs), None)
        yield from mutants(operations[name], status, answered, accepted)


def is_caught(mutant: Mutant, pairs: Pairs, rules: Rules) -> bool:
    """Whether a judge finds fault with any answer of the mutant."""
    for one in pairs[mutant.operation, mutant.status]:
        if mutant.about is None or mutant.about == one.case.about:
            changed = mutant.change(one.seen)
            if changed is not None and _is_red(Answered(one.case, changed), rules):
                return True
    return False


def _is_red(one: Answered, rules: Rules) -> bool:
    """Whether a test fails; one that can't read the answer at all does."""
    try:
        return bool(one.faults(rules))
    except (TypeError, KeyError, AttributeError, ValueError):
        return True


def score_of(service: str, document: Any, operations: Mapping[str, Operation], record: Iterable[Answered], step: int = 1) -> Score:
    """Every `step`th mutant of a service, and all harmless changes."""
    rules, promise = Rules(document), Rules(document, additions=True)
    pairs = pairs_of(rules, record)
    score = Score(service)
    for mutant in list(all_mutants(operations, pairs))[::step]:
        kept = is_caught(mutant, pairs, promise)
        score.promised += kept
        if kept or is_caught(mutant, pairs, rules):
            score.caught[mutant.kind] += 1
        else:
            score.survivors.append(mutant)
    for name, status in pairs:
        for mutant in harmless(operations[name], status):
            score.harmless += 1
            if is_caught(mutant, pairs, promise):
                score.false_alarms.append(str(mutant))
    score.harmless += 1
    score.false_alarms += [str(one) for one in compare(document, wordier(document)) if one.breaking]
    return score


def wordier(value: Any) -> Any:
    """A document with longer descriptions."""
    if isinstance(value, dict):
        return {
            name: f"{inner} And more." if name == "description" and isinstance(inner, str) else wordier(inner)
            for name, inner in value.items()
        }
    return [wordier(inner) for inner in value] if isinstance(value, list) else value

"""Rules over the defects of a coil while it runs, so that nothing is left to do when it ends."""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count

from stripscan.contract.classes import DefectClass
from stripscan.contract.defect import Defect
from stripscan.contract.grading import Grade, Reason
from stripscan.runtime.rules.grade import CoilFacts, DefectCount, grade_counted
from stripscan.runtime.rules.judge import TOLERANCE, SeverityJudge
from stripscan.runtime.rules.model import RulesFile


@dataclass(frozen=True, slots=True, kw_only=True)
class SeverityChange:
    """A defect that is another severity by these rules.

    Attributes:
        before: Severity in the store.
        defect: The defect as these rules have it.
        rule: The rule that decided; none where the class did.
        why: By which figures.
    """

    before: str
    defect: Defect
    rule: str | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What rules say of the defects of a coil and of the coil.

    Attributes:
        grade: The grade.
        reasons: What decided it, then how many defects each severity rule decided.
        defects: How many there are.
        changes: Those whose severity changes, by number.
    """

    grade: Grade
    reasons: tuple[Reason, ...]
    defects: int
    changes: tuple[SeverityChange, ...]


class CoilTally:
    """Judges and counts defects that have ended, in any order.

    What rules ask of the tail is known last: defects that may lie there wait until the strip has
    gone on so far that they do not, or has ended.

    Args:
        rules: The rules.
        classes: Classes of the bundle.
    """

    def __init__(self, rules: RulesFile, classes: Iterable[DefectClass]) -> None:
        self._rules = rules
        self._judge = SeverityJudge(rules, classes)
        self._count = DefectCount(rules)
        self._tail_m = max((r.tail_m or 0.0 for r in (*rules.severity, *rules.grade)), default=0.0)
        self._waiting: list[tuple[float, int, Defect]] = []  # a heap by where they start
        self._serial = count()
        self._by_rule: Counter[str] = Counter()
        self._changes: list[SeverityChange] = []
        self._right_mm: float | None = None
        self.passed_m = 0.0

    def add(self, defect: Defect) -> None:
        """Take in a defect with the severity that it has in the store."""
        right_mm = defect.across_right_mm + max(0.0, defect.edge_right_mm)
        self._right_mm = max(right_mm, self._right_mm or right_mm)
        if self._tail_m:
            heapq.heappush(self._waiting, (defect.along_start_m, next(self._serial), defect))
        else:
            self._take(defect, tail_m=None)

    def passed(self, length_m: float) -> None:
        """Count what cannot lie at the tail any more.

        Args:
            length_m: The coil is so long at least, in m.
        """
        self.passed_m = max(length_m, self.passed_m)
        limit_m = self.passed_m - self._tail_m - TOLERANCE
        while self._waiting and self._waiting[0][0] < limit_m:
            self._take(heapq.heappop(self._waiting)[-1], tail_m=None)

    def width_mm(self, view_mm: float) -> float:
        """Return the width of the strip in mm as its defects tell it; without any, the view's."""
        return view_mm if self._right_mm is None else self._right_mm

    def verdict(self, coil: CoilFacts) -> Verdict:
        """Return what the rules say, now that the coil has ended; to be called once.

        Args:
            coil: The coil, no shorter than ``passed`` was told.
        """
        for _, _, defect in self._waiting:
            self._take(defect, tail_m=coil.tail_m)
        grade, reasons = grade_counted(self._rules, coil, self._count)
        return Verdict(
            grade=grade,
            reasons=(*reasons, *self._tallies()),
            defects=self._count.counted + self._count.ignored,
            changes=tuple(sorted(self._changes, key=lambda change: change.defect.number)),
        )

    def _take(self, defect: Defect, *, tail_m: float | None) -> None:
        rule = self._judge.rule_of(defect, tail_m=tail_m)
        judged = self._judge.judged(defect, rule)
        if rule is not None:
            self._by_rule[rule.name] += 1
        self._count.add(judged, tail_m=tail_m)
        if judged.severity != defect.severity:
            change = SeverityChange(
                before=defect.severity,
                defect=judged,
                rule=rule.name if rule else None,
                why=self._judge.why(defect, rule),
            )
            self._changes.append(change)

    def _tallies(self) -> Iterator[Reason]:
        for rule in self._rules.severity:
            if found := self._by_rule[rule.name]:
                noun = "defect" if found == 1 else "defects"
                yield Reason(rule=rule.name, verdict=rule.severity, text=f"{found} {noun}")

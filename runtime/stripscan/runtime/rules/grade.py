"""Grade of a coil from its judged defects and its coverage."""

import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from stripscan.contract.coverage import CoverageStatus
from stripscan.contract.defect import Defect
from stripscan.contract.grading import Grade, Reason
from stripscan.runtime.coil_extent import CoverageSpan, uninspected_m
from stripscan.runtime.rules.judge import TOLERANCE, Place, Selector, shown
from stripscan.runtime.rules.model import GradeRule, RulesFile
from stripscan.runtime.store_records import CoilStatus

IGNORED: Final = "ignore"

_NOT_COMPLETE: Final[dict[CoilStatus, str]] = {
    "running": "the inspection has not ended",
    "interrupted": "the inspection was interrupted",
    "failed": "the inspection failed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CoilFacts:
    """What a grade depends on beside the defects.

    Attributes:
        status: How the coil ended.
        length_m: Length in m.
        width_mm: Width of the strip in mm.
        coverage: Stretches without a gap; see ``coverage_spans``.
    """

    status: CoilStatus
    length_m: float
    width_mm: float
    coverage: tuple[CoverageSpan, ...]

    @property
    def tail_m(self) -> float | None:
        """Position of the tail from the head in m: only a coil that is complete has one."""
        return self.length_m if self.status == "complete" else None

    @property
    def lost_m(self) -> float:
        """How much was not inspected by the full chain of every camera, in m."""
        return uninspected_m(self.coverage)

    @property
    def gaps(self) -> list[CoverageSpan]:
        """Stretches that were not inspected by the full chain."""
        return [s for s in self.coverage if s.status is not CoverageStatus.INSPECTED]

    @property
    def lost_percent(self) -> float:
        """How much was not inspected by the full chain, 0–100 %; all where nothing is known.

        What passed under each camera counts alike.
        """
        seen_m = sum(
            max(s.length_m, 0.0) for s in self.coverage if s.status is CoverageStatus.INSPECTED
        )
        lost_m = sum(max(s.length_m, 0.0) for s in self.gaps)
        return 100 * lost_m / (lost_m + seen_m) if seen_m > 0 else 100.0


class DefectCount:
    """Counts judged defects for the rules that grade a coil, one by one and in any order.

    Args:
        rules: The rules.
    """

    def __init__(self, rules: RulesFile) -> None:
        self.of_rules = [_RuleCount(rule) for rule in rules.grade]
        self.counted = 0
        self.ignored = 0

    def add(self, defect: Defect, *, tail_m: float | None) -> None:
        """Take in a defect; one to be ignored counts in no rule.

        Args:
            defect: With the severity that the rules give.
            tail_m: Position of the tail from the head in m; none where it is not known or where
                the defect does not lie there.
        """
        if defect.severity == IGNORED:
            self.ignored += 1
            return
        self.counted += 1
        place = Place(tail_m=tail_m)
        for of_rule in self.of_rules:
            of_rule.add(defect, place)


class _RuleCount:
    """What one rule needs of the defects that it is for: bytes a defect, and no more."""

    def __init__(self, rule: GradeRule) -> None:
        self.rule = rule
        self.selector = Selector(rule)
        self.count = 0
        self.starts_m = array("d")
        self.ends_m = array("d")
        self.areas_mm2 = array("d")

    def add(self, defect: Defect, place: Place) -> None:
        rule = self.rule
        if rule.severities and defect.severity not in rule.severities:
            return
        if not self.selector.takes(defect, place):
            return
        self.count += 1
        if rule.window_m is not None:
            self.starts_m.append(defect.along_start_m)
            self.ends_m.append(defect.along_end_m)
        if rule.min_area_percent is not None:
            self.areas_mm2.append(defect.area_mm2)

    @property
    def kinds(self) -> str:
        """Which defects it is for, in brackets; empty if for all."""
        severities = " or ".join(self.rule.severities)
        words = ", ".join(w for w in (severities, self.selector.words) if w)
        return f" ({words})" if words else ""


def grade_coil(
    rules: RulesFile, coil: CoilFacts, defects: Iterable[Defect]
) -> tuple[Grade, tuple[Reason, ...]]:
    """Return the grade of a coil and what decided it.

    Args:
        rules: The rules.
        coil: The coil.
        defects: Its defects with the severity that these rules give, in any order.
    """
    count = DefectCount(rules)
    for defect in defects:
        count.add(defect, tail_m=coil.tail_m)
    return grade_counted(rules, coil, count)


def grade_counted(
    rules: RulesFile, coil: CoilFacts, count: DefectCount
) -> tuple[Grade, tuple[Reason, ...]]:
    """Return the grade of a coil and what decided it.

    The first rule that fits decides; those that hold stand on top. Whatever the rules say, a coil
    is held where its inspection did not come to its end, or where more of it was not inspected
    than they allow.

    Args:
        rules: The rules.
        coil: The coil.
        count: Its defects, counted for these rules.
    """
    fitting = ((c.rule, text) for c in count.of_rules if (text := _fits(c, coil)))
    rule, text = next(fitting, (None, ""))
    unseen = [Reason(rule=None, verdict="hold", text=said) for said in _unseen(rules, coil)]
    if rule is not None:
        reasons = (*unseen, Reason(rule=rule.name, verdict=rule.grade, text=text))
        return ("hold" if unseen else rule.grade), reasons
    if unseen:
        return "hold", tuple(unseen)
    ignored = f", {count.ignored} ignored" if count.ignored else ""
    text = (
        f"no rule for worse fits: {_number(count.counted, 'defect')} counted{ignored}, "
        f"{shown(coil.lost_m)} m of {shown(coil.length_m)} m not inspected"
    )
    return "accept", (Reason(rule=None, verdict="accept", text=text),)


def _unseen(rules: RulesFile, coil: CoilFacts) -> Iterator[str]:
    """Yield what forbids to let a coil go, as it may have defects that nobody looked for."""
    if coil.status != "complete":
        yield f"{_NOT_COMPLETE[coil.status]}: of the rest of the coil nothing is known"
    allowed = rules.max_uninspected_percent
    # With nothing allowed, not even lines without a length: the encoder may have stood still.
    too_much = coil.lost_percent > allowed + TOLERANCE if allowed else coil.gaps
    if too_much or not coil.coverage:
        yield (
            f"{shown(coil.lost_m)} m of {shown(coil.length_m)} m were not inspected by the full "
            f"chain, {coil.lost_percent:.3g} %; {allowed:g} % are allowed"
        )


def _fits(of_rule: _RuleCount, coil: CoilFacts) -> str:
    """Return by which figures a rule fits a coil; nothing where it does not."""
    rule = of_rule.rule
    if rule.inspected_below_percent is not None:
        if 100 - coil.lost_percent >= rule.inspected_below_percent:
            return ""
        # Told as what is missing: 99.9999 % inspected must not read as 100 %.
        asked = f"the rule asks for less than {rule.inspected_below_percent:g} % inspected"
        return f"{coil.lost_percent:.3g} % not inspected by the full chain; {asked}"
    if rule.min_area_percent is not None:
        return _area(rule.min_area_percent, coil, of_rule)
    return _count(of_rule)


def _count(of_rule: _RuleCount) -> str:
    rule = of_rule.rule
    least, count, where = rule.min_count or 1, of_rule.count, "on the coil"
    if count >= least and rule.window_m is not None:
        count, at_m = densest(of_rule.starts_m, of_rule.ends_m, rule.window_m)
        where = f"within {rule.window_m:g} m at {shown(at_m)} m"
    if count < least:
        return ""
    return f"{_number(count, 'defect')}{of_rule.kinds} {where}; the rule asks for {least}"


def _area(least_percent: float, coil: CoilFacts, of_rule: _RuleCount) -> str:
    area_mm2 = math.fsum(of_rule.areas_mm2)  # exact, so that the order does not matter
    strip_mm2 = coil.length_m * 1000 * coil.width_mm
    percent = 100 * area_mm2 / strip_mm2 if strip_mm2 else 100.0
    if not of_rule.count or percent < least_percent - TOLERANCE:
        return ""
    return (
        f"{_number(of_rule.count, 'defect')}{of_rule.kinds} with {percent:.3g} % of the strip's "
        f"area; the rule asks for {least_percent:g} %"
    )


def densest(
    starts_m: Sequence[float], ends_m: Sequence[float], window_m: float
) -> tuple[int, float]:
    """Return how many defects touch the stretch of a length that most touch, and where.

    A long defect touches each stretch that it passes, and a stretch has its ends. Some stretch
    with the most ends where a defect starts: it could be moved back until there without losing one.

    Args:
        starts_m: Where defects start, in m from the head; at least one.
        ends_m: Where they end.
        window_m: Length of the stretch in m.

    Returns:
        The count, and where the first of these defects is met on the stretch, in m from the head.
    """
    from_m, to_m = np.array(starts_m), np.array(ends_m)
    starts, ends = np.sort(from_m), np.sort(to_m)
    begun = np.searchsorted(starts, starts + TOLERANCE, side="right")
    over = np.searchsorted(ends, starts - window_m - TOLERANCE, side="left")
    best = int(np.argmax(begun - over))
    stretch_m = starts[best] - window_m
    first_m = from_m[to_m >= stretch_m - TOLERANCE].min()
    return int(begun[best] - over[best]), float(max(stretch_m, first_m, 0.0))


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"

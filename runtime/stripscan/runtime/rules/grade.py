"""Grade of a coil from its judged defects and its coverage."""

from collections.abc import Iterator, Sequence
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


def grade_coil(
    rules: RulesFile, coil: CoilFacts, defects: Sequence[Defect]
) -> tuple[Grade, tuple[Reason, ...]]:
    """Return the grade of a coil and what decided it.

    The first rule that fits decides; those that hold stand on top. Whatever the rules say, a coil
    is held where its inspection did not come to its end, or where more of it was not inspected
    than they allow.

    Args:
        rules: The rules.
        coil: The coil.
        defects: Its defects with the severity that these rules give; those to be ignored count in
            no rule. Their order does not matter.
    """
    counted = [d for d in defects if d.severity != IGNORED]
    fitting = ((rule, text) for rule in rules.grade if (text := _fits(rule, coil, counted)))
    rule, text = next(fitting, (None, ""))
    unseen = [Reason(rule=None, verdict="hold", text=said) for said in _unseen(rules, coil)]
    if rule is not None:
        reasons = (*unseen, Reason(rule=rule.name, verdict=rule.grade, text=text))
        return ("hold" if unseen else rule.grade), reasons
    if unseen:
        return "hold", tuple(unseen)
    ignored = f", {len(defects) - len(counted)} ignored" if len(counted) < len(defects) else ""
    text = (
        f"no rule for worse fits: {_number(len(counted), 'defect')} counted{ignored}, "
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


def _fits(rule: GradeRule, coil: CoilFacts, defects: Sequence[Defect]) -> str:
    """Return by which figures a rule fits a coil; nothing where it does not."""
    if rule.inspected_below_percent is not None:
        if 100 - coil.lost_percent >= rule.inspected_below_percent:
            return ""
        # Told as what is missing: 99.9999 % inspected must not read as 100 %.
        asked = f"the rule asks for less than {rule.inspected_below_percent:g} % inspected"
        return f"{coil.lost_percent:.3g} % not inspected by the full chain; {asked}"
    selector, severities = Selector(rule), rule.severities
    place = Place(tail_m=coil.tail_m)
    chosen = [
        d
        for d in defects
        if (not severities or d.severity in severities) and selector.takes(d, place)
    ]
    words = ", ".join(w for w in (" or ".join(severities), selector.words) if w)
    kinds = f" ({words})" if words else ""
    if rule.min_area_percent is not None:
        return _area(rule.min_area_percent, coil, chosen, kinds)
    return _count(rule, chosen, kinds)


def _count(rule: GradeRule, defects: Sequence[Defect], kinds: str) -> str:
    least, count, where = rule.min_count or 1, len(defects), "on the coil"
    if count >= least and rule.window_m is not None:
        count, at_m = densest(defects, rule.window_m)
        where = f"within {rule.window_m:g} m at {shown(at_m)} m"
    if count < least:
        return ""
    return f"{_number(count, 'defect')}{kinds} {where}; the rule asks for {least}"


def _area(least_percent: float, coil: CoilFacts, defects: Sequence[Defect], kinds: str) -> str:
    area_mm2 = sum(sorted(d.area_mm2 for d in defects))
    strip_mm2 = coil.length_m * 1000 * coil.width_mm
    percent = 100 * area_mm2 / strip_mm2 if strip_mm2 else 100.0
    if not defects or percent < least_percent - TOLERANCE:
        return ""
    return (
        f"{_number(len(defects), 'defect')}{kinds} with {percent:.3g} % of the strip's area; "
        f"the rule asks for {least_percent:g} %"
    )


def densest(defects: Sequence[Defect], window_m: float) -> tuple[int, float]:
    """Return how many defects touch the stretch of a length that most touch, and where.

    A long defect touches each stretch that it passes, and a stretch has its ends. Some stretch
    with the most ends where a defect starts: it could be moved back until there without losing one.

    Args:
        defects: At least one.
        window_m: Length of the stretch in m.

    Returns:
        The count, and where the first of these defects is met on the stretch, in m from the head.
    """
    starts = np.sort(np.array([d.along_start_m for d in defects]))
    ends = np.sort(np.array([d.along_end_m for d in defects]))
    begun = np.searchsorted(starts, starts + TOLERANCE, side="right")
    over = np.searchsorted(ends, starts - window_m - TOLERANCE, side="left")
    best = int(np.argmax(begun - over))
    from_m = starts[best] - window_m
    first_m = min(d.along_start_m for d in defects if d.along_end_m >= from_m - TOLERANCE)
    return int(begun[best] - over[best]), float(max(from_m, first_m, 0.0))


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"

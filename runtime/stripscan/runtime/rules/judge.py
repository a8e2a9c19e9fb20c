"""Severity of defects, one by one, from what is known of them so far."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from stripscan.contract.classes import DefectClass
from stripscan.contract.defect import Defect
from stripscan.runtime.rules.model import FIGURES, RulesFile, Selection, SeverityRule

TOLERANCE: Final = 1e-6
"""Positions are sums of pitches: 400 lines of 0.5 mm are 200 mm, and not 199.999999."""

_FIGURE: Final[dict[str, tuple[str, Callable[[Defect], float]]]] = {
    "length_mm": ("{} mm long", lambda d: d.length_mm),
    "width_mm": ("{} mm wide", lambda d: d.width_mm),
    "area_mm2": ("{} mm² large", lambda d: d.area_mm2),
    "edge_mm": ("{} mm from the edge", lambda d: min(d.edge_left_mm, d.edge_right_mm)),
    "confidence": ("{} sure", lambda d: d.confidence),
}
_NO_CLASS_SEVERITY: Final = "major"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a condition may ask beside the defect.

    Attributes:
        tail_m: Position of the tail from the head in m; none while it has not come.
    """

    tail_m: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Condition:
    words: str
    holds: Callable[[Defect, Place], bool]
    figures: Callable[[Defect], str]


class Selector:
    """Tells whether a defect meets all conditions of a rule."""

    def __init__(self, rule: Selection) -> None:
        self._conditions = [*_kinds(rule), *_limits(rule), *_positions(rule)]
        self._holds = [condition.holds for condition in self._conditions]

    def takes(self, defect: Defect, place: Place) -> bool:
        """Return whether the rule is for this defect."""
        return all(holds(defect, place) for holds in self._holds)

    @property
    def words(self) -> str:
        """What it asks for, e.g. ``scratches, at least 200 mm long``; empty if nothing."""
        return ", ".join(condition.words for condition in self._conditions)

    def figures(self, defect: Defect) -> str:
        """Return the figures of a defect that it looks at, e.g. ``scratches, 212.5 mm long``."""
        return ", ".join(condition.figures(defect) for condition in self._conditions)


class SeverityJudge:
    """Gives the defects of one coil their severity.

    Args:
        rules: The rules.
        classes: Classes of the bundle: their severity counts where no rule fits.
    """

    def __init__(self, rules: RulesFile, classes: Iterable[DefectClass]) -> None:
        self._rules = [(rule, Selector(rule)) for rule in rules.severity]
        self._of_class = {c.name: str(c.severity) for c in classes}

    def so_far(self, defect: Defect) -> Defect:
        """Return the defect with the severity of what is known of it while the strip runs.

        Nothing of the future is needed: a defect that grows is judged again, and as long as the
        tail has not come, no rule with ``tail_m`` fits.
        """
        return self.judged(defect, self.rule_of(defect))

    def rule_of(self, defect: Defect, *, tail_m: float | None = None) -> SeverityRule | None:
        """Return the first rule that fits.

        Args:
            defect: The defect.
            tail_m: Position of the tail from the head in m; none while it has not come.
        """
        place = Place(tail_m=tail_m)
        return next((rule for rule, selector in self._rules if selector.takes(defect, place)), None)

    def judged(self, defect: Defect, rule: SeverityRule | None) -> Defect:
        """Return the defect with the severity of a rule, or of its class without one."""
        severity = rule.severity if rule else self._of_class.get(defect.class_name)
        severity = severity or _NO_CLASS_SEVERITY
        return defect if severity == defect.severity else replace(defect, severity=severity)

    def why(self, defect: Defect, rule: SeverityRule | None) -> str:
        """Return by which figures a rule fits; without one the class decides."""
        if rule is None:
            return f"severity of the class {defect.class_name}"
        return next(s.figures(defect) for r, s in self._rules if r is rule) or "any defect"


def _kinds(rule: Selection) -> Iterable[_Condition]:
    if classes := rule.classes:
        yield _Condition(
            words=" or ".join(classes),
            holds=lambda defect, _: defect.class_name in classes,
            figures=lambda defect: defect.class_name,
        )
    if surface := rule.surface:
        yield _Condition(
            words=f"{surface} surface",
            holds=lambda defect, _: defect.surface == surface,
            figures=lambda _: f"{surface} surface",
        )


def _limits(rule: Selection) -> Iterable[_Condition]:
    for name in FIGURES:
        words, figure = _FIGURE[name]
        low, high = getattr(rule, f"min_{name}"), getattr(rule, f"max_{name}")
        if low is not None or high is not None:
            yield _limit(words, figure, low, high)


def _limit(
    words: str, figure: Callable[[Defect], float], low: float | None, high: float | None
) -> _Condition:
    least = float("-inf") if low is None else low - TOLERANCE
    most = float("inf") if high is None else high + TOLERANCE
    asked = [f"at least {low:g}"] if low is not None else []
    asked += [f"at most {high:g}"] if high is not None else []
    return _Condition(
        words=words.format(" and ".join(asked)),
        holds=lambda defect, _: least <= figure(defect) <= most,
        figures=lambda defect: words.format(shown(figure(defect))),
    )


def _positions(rule: Selection) -> Iterable[_Condition]:
    if trim_mm := rule.trim_mm:
        yield _Condition(
            words=f"all of it within {trim_mm:g} mm of an edge",
            holds=lambda defect, _: _depth_mm(defect) <= trim_mm + TOLERANCE,
            figures=lambda defect: f"all of it within {shown(_depth_mm(defect))} mm of an edge",
        )
    if head_m := rule.head_m:
        yield _Condition(
            words=f"in the first {head_m:g} m",
            holds=lambda defect, _: defect.along_end_m <= head_m + TOLERANCE,
            figures=lambda defect: f"ends {shown(defect.along_end_m)} m from the head",
        )
    if tail_m := rule.tail_m:
        yield _Condition(
            words=f"in the last {tail_m:g} m",
            holds=lambda defect, place: (
                place.tail_m is not None
                and defect.along_start_m >= place.tail_m - tail_m - TOLERANCE
            ),
            figures=lambda defect: f"starts {shown(defect.along_start_m)} m from the head",
        )


def _depth_mm(defect: Defect) -> float:
    """Return how far into the strip a defect reaches from the edge that it is nearer to, in mm."""
    return min(defect.edge_left_mm, defect.edge_right_mm) + defect.width_mm


def shown(value: float) -> str:
    """Return a figure to three decimals, without needless ones."""
    return f"{value:.3f}".rstrip("0").rstrip(".")

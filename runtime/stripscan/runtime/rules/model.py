"""The rules file: which defects are how severe, and what makes a coil worse than accepted."""

from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import BeforeValidator, Field, model_validator

from stripscan.contract.classes import Severity
from stripscan.runtime.section import Section, unit

RuleSeverity = Literal["ignore", "minor", "major", "critical"]
"""What a rule may say of a defect; one that is ignored stays on record and counts in no grade."""

RuleGrade = Literal["downgrade", "hold"]
"""What a rule may say of a coil; without any it is accepted."""

FIGURES: Final = ("length_mm", "width_mm", "area_mm2", "edge_mm", "confidence")
"""Figures of a defect that have a key ``min_…`` and a key ``max_…``."""


def _names(choices: tuple[str, ...] = ()) -> Callable[[object], object]:
    """Return what makes a tuple of a list of texts, each one of ``choices`` where there are any."""

    def checked(given: object) -> object:
        names = given if isinstance(given, list | tuple) else ()
        if not names or not all(isinstance(name, str) and name for name in names):
            raise ValueError(f'{given!r} is no list of names: write it like ["a", "b"]')
        for name in names:
            if choices and name not in choices:
                raise ValueError(f"{name!r} is not known: it may be {', '.join(choices)}")
        return tuple(names)

    return checked


def _at_least_0(most: float, name: str) -> Any:
    return Field(default=None, ge=0, le=most, json_schema_extra=unit(name))


def _above_0(most: float, name: str) -> Any:
    return Field(default=None, gt=0, le=most, json_schema_extra=unit(name))


class Selection(Section):
    """Which defects a rule is for: those that meet all conditions that it has.

    Limits count as met: ``min_length_mm = 200`` takes a defect of 200 mm, and so does
    ``max_length_mm = 200``.

    Attributes:
        name: Name of the rule, for reasons and reports.
        classes: Classes of the bundle; any where empty.
        surface: Side of the strip; either where None.
        min_length_mm: Extent along in mm, at least.
        max_length_mm: Extent along in mm, at most.
        min_width_mm: Extent across in mm, at least.
        max_width_mm: Extent across in mm, at most.
        min_area_mm2: Area in mm², at least.
        max_area_mm2: Area in mm², at most.
        min_edge_mm: From its nearest point to the nearest strip edge in mm, at least.
        max_edge_mm: From its nearest point to the nearest strip edge in mm, at most.
        min_confidence: Confidence, 0–1, at least.
        max_confidence: Confidence, 0–1, at most.
        trim_mm: All of it lies within so many mm of one strip edge.
        head_m: All of it lies in the first so many metres.
        tail_m: All of it lies in the last so many metres of a coil that is complete.
    """

    name: str = Field(min_length=1)
    classes: Annotated[tuple[str, ...], BeforeValidator(_names())] = ()
    surface: Literal["top", "bottom"] | None = None
    min_length_mm: float | None = _at_least_0(100_000_000, "mm")
    max_length_mm: float | None = _at_least_0(100_000_000, "mm")
    min_width_mm: float | None = _at_least_0(10_000, "mm")
    max_width_mm: float | None = _at_least_0(10_000, "mm")
    min_area_mm2: float | None = _at_least_0(1e12, "mm²")
    max_area_mm2: float | None = _at_least_0(1e12, "mm²")
    min_edge_mm: float | None = _at_least_0(10_000, "mm")
    max_edge_mm: float | None = _at_least_0(10_000, "mm")
    min_confidence: float | None = Field(default=None, ge=0, le=1)
    max_confidence: float | None = Field(default=None, ge=0, le=1)
    trim_mm: float | None = _above_0(1000, "mm")
    head_m: float | None = _above_0(100_000, "m")
    tail_m: float | None = _above_0(100_000, "m")

    @model_validator(mode="after")
    def _ranges_are_not_empty(self) -> "Selection":
        for figure in FIGURES:
            low, high = getattr(self, f"min_{figure}"), getattr(self, f"max_{figure}")
            if low is not None and high is not None and low > high:
                raise ValueError(
                    f"min_{figure} = {low:g} is above max_{figure} = {high:g}: no defect is both"
                )
        return self

    @property
    def conditions(self) -> set[str]:
        """Keys of the conditions that it has."""
        return {
            key
            for key in Selection.model_fields
            if key != "name" and getattr(self, key) not in (None, ())
        }


class SeverityRule(Selection):
    """A severity for some defects.

    Attributes:
        severity: What they are; ``ignore`` forgives them.
    """

    severity: RuleSeverity


class GradeRule(Selection):
    """A grade for coils with too many defects of some kind, or too little inspected.

    Attributes:
        severities: Severities of the defects that count; all but ``ignore`` where empty.
        min_count: So many of them, or more.
        window_m: They are counted in each stretch of so many metres; on the whole coil where None.
        min_area_percent: Their area is so much of the strip's, or more, in %.
        inspected_below_percent: Less than so much of the coil was inspected, in %.
        grade: What the coil is then.
    """

    severities: Annotated[tuple[Severity, ...], BeforeValidator(_names(get_args(Severity)))] = ()
    min_count: int | None = Field(default=None, ge=1, json_schema_extra=unit("defects"))
    window_m: float | None = _above_0(100_000, "m")
    min_area_percent: float | None = _above_0(100, "%")
    inspected_below_percent: float | None = _above_0(100, "%")
    grade: RuleGrade

    @model_validator(mode="after")
    def _asks_for_one_thing(self) -> "GradeRule":
        limits = ("min_count", "min_area_percent", "inspected_below_percent")
        given = [key for key in limits if getattr(self, key) is not None]
        if len(given) != 1:
            has = " and ".join(given) or "none"
            raise ValueError(f"a rule has one of {', '.join(limits)}, and this one has {has}")
        if self.window_m is not None and self.min_count is None:
            raise ValueError("window_m goes with min_count: it says where defects are counted")
        if self.inspected_below_percent is not None and (self.conditions or self.severities):
            key = min(self.conditions | ({"severities"} if self.severities else set()))
            raise ValueError(f"{key} chooses defects, and inspected_below_percent counts none")
        return self


class RulesFile(Section):
    """A whole rules file; docs/reference/rules.md lists every key.

    Attributes:
        schema_version: Version of the format.
        name: Name of the rules.
        version: Their version, as the mill writes it.
        max_uninspected_percent: How much of a coil may lack inspection by the full chain before
            the coil is held, in %.
        severity: The first that fits a defect decides; without any, its class does.
        grade: The first that fits a coil decides, those for ``hold`` first.
    """

    schema_version: Literal[1]
    name: str = Field(min_length=1)
    version: str = Field(min_length=1)
    max_uninspected_percent: float = Field(default=0.0, ge=0, le=100, json_schema_extra=unit("%"))
    severity: Annotated[tuple[SeverityRule, ...], Field(strict=False)] = ()
    grade: Annotated[tuple[GradeRule, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _rules_are_told_apart(self) -> "RulesFile":
        for table in (self.severity, self.grade):
            name, times = (
                Counter(rule.name for rule in table).most_common(1)[0] if table else ("", 1)
            )
            if times > 1:
                raise ValueError(f"{times} rules are named {name!r}: give each a name of its own")
        return self

    @model_validator(mode="after")
    def _every_rule_is_reached(self) -> "RulesFile":
        for rule, after in pairwise(self.severity):
            if not rule.conditions:
                raise ValueError(
                    f"severity rule {rule.name!r} has no condition and fits every defect, so that "
                    f"{after.name!r} is never reached: put it last"
                )
        for first, below in pairwise(self.grade):
            if (first.grade, below.grade) == ("downgrade", "hold"):
                raise ValueError(
                    f"grade rule {below.name!r} holds and stands below {first.name!r}, which "
                    "downgrades and would decide first: put the rules that hold on top"
                )
        return self

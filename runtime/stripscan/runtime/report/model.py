"""The report of one coil, read from a store in one moment."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from stripscan.contract.classes import SEVERITIES, DefectClass
from stripscan.contract.coverage import CoverageStatus
from stripscan.contract.defect import Defect
from stripscan.contract.grading import Grading
from stripscan.contract.rle import Runs
from stripscan.contract.roll_repeat import RollRepeat
from stripscan.runtime.coil_extent import (
    CoverageSpan,
    CoverageTotal,
    coverage_spans,
    coverage_totals,
    known_length_m,
    strip_width_mm,
)
from stripscan.runtime.store import CoilRecord, Picture, Store

MAX_PICTURES: Final = 300
"""Defects that have their picture in a report: the worst by severity, then area."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportDefect:
    """One defect with its mask (int64 ``[n, 3]``, may be empty) and, if in reach, its picture."""

    defect: Defect
    mask: Runs
    picture: Picture | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassTotal:
    """All defects of one class: their number, area in mm², and number by severity."""

    defect_class: DefectClass
    count: int
    area_mm2: float
    by_severity: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Last line to stored defect, in ms; none where it was not measured."""

    p50_ms: float | None
    p99_ms: float | None
    max_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What is known of one coil.

    Attributes:
        coil: Its record.
        length_m: Length in m; of a coil that has not ended, what is known so far.
        strip_width_mm: Width of the strip in mm, at least the right end of every defect.
        defects: From the worst by severity, then area.
        coverage: Stretches by camera, then metre; together they are the coil, without a gap.
        coverage_totals: One for each status.
        classes: One for each class of the bundle, and for any other that was found.
        roll_repeats: Marks of damaged rolls, by number.
        latency: Percentiles of the run.
        throughput_mpx_s: Throughput in Mpx/s.
        grading: The newest judgement; none of a coil that was never graded.
    """

    coil: CoilRecord
    length_m: float
    strip_width_mm: float
    defects: tuple[ReportDefect, ...]
    coverage: tuple[CoverageSpan, ...]
    coverage_totals: tuple[CoverageTotal, ...]
    classes: tuple[ClassTotal, ...]
    roll_repeats: tuple[RollRepeat, ...]
    latency: Latency
    throughput_mpx_s: float | None
    grading: Grading | None

    @property
    def inspected_percent(self) -> float:
        """How much was inspected by the full chain, 0–100 %; exactly 100 only if all was."""
        inspected = CoverageStatus.INSPECTED
        return next(t.percent for t in self.coverage_totals if t.status == inspected)

    @property
    def by_severity(self) -> dict[str, int]:
        """Number of defects by severity, from the worst; the three are always there."""
        counts = Counter(d.defect.severity for d in self.defects)
        return {s: counts.pop(s, 0) for s in SEVERITIES} | dict(counts)


def build_report(store: Store, coil_id: str, *, max_pictures: int = MAX_PICTURES) -> Report:
    """Read the report of a coil.

    Args:
        store: Where it lies.
        coil_id: Id of the coil.
        max_pictures: How many of the worst defects bring their picture.

    Raises:
        StoreError: No such coil, or the store cannot be read.
    """
    with store.snapshot():
        coil = store.coil(coil_id)
        found = sorted(store.defects(coil_id), key=_from_the_worst)
        masks = store.masks(coil_id)
        intervals = store.coverage(coil_id)
        gradings = store.gradings(coil_id)
        repeats = store.roll_repeats(coil_id)
        pictures = {d.number: store.picture(coil_id, d.number) for d in found[:max_pictures]}
    no_mask = np.empty((0, 3), np.int64)
    length_m = known_length_m(coil, intervals, found)
    coverage = coverage_spans(intervals, coil, length_m)
    return Report(
        coil=coil,
        length_m=length_m,
        strip_width_mm=strip_width_mm(coil, found),
        defects=tuple(
            ReportDefect(
                defect=d, mask=masks.get(d.number, no_mask), picture=pictures.get(d.number)
            )
            for d in found
        ),
        coverage=coverage,
        coverage_totals=coverage_totals(coverage),
        classes=_class_totals(coil.classes, found),
        roll_repeats=repeats,
        latency=Latency(
            p50_ms=_figure(coil, "latency_p50_ms"),
            p99_ms=_figure(coil, "latency_p99_ms"),
            max_ms=_figure(coil, "latency_max_ms"),
        ),
        throughput_mpx_s=_figure(coil, "throughput_mpx_s"),
        grading=gradings[0] if gradings else None,
    )


def _from_the_worst(defect: Defect) -> tuple[int, float, int]:
    known = defect.severity in SEVERITIES
    rank = SEVERITIES.index(defect.severity) if known else len(SEVERITIES)
    return rank, -defect.area_mm2, defect.number


def _figure(coil: CoilRecord, name: str) -> float | None:
    value = coil.stats.get(name)
    return float(value) if isinstance(value, int | float) else None


def _class_totals(
    known: tuple[DefectClass, ...], defects: Iterable[Defect]
) -> tuple[ClassTotal, ...]:
    by_class: dict[str, list[Defect]] = {c.name: [] for c in known}
    for defect in defects:
        by_class.setdefault(defect.class_name, []).append(defect)
    classes = {c.name: c for c in known}
    return tuple(
        ClassTotal(
            defect_class=classes.get(name) or _unknown_class(name),
            count=len(of_class),
            area_mm2=sum(d.area_mm2 for d in of_class),
            by_severity=Counter(d.severity for d in of_class),
        )
        for name, of_class in by_class.items()
    )


def _unknown_class(name: str) -> DefectClass:
    return DefectClass(id=0, name=name, title=name, colour="#8a939c", severity="major")

"""What the live page reads from the store, which it never writes."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from stripscan.contract.coverage import CoverageInterval
from stripscan.contract.defect import Defect
from stripscan.contract.errors import StoreError
from stripscan.contract.grading import Grading
from stripscan.contract.roll_repeat import RollRepeat
from stripscan.runtime.coil_extent import (
    CoverageSpan,
    CoverageTotal,
    coverage_spans,
    coverage_totals,
    known_length_m,
    strip_width_mm,
)
from stripscan.runtime.report.model import SEVERITIES, Report, build_report
from stripscan.runtime.store import CoilRecord, Store

_T = TypeVar("_T")

MAX_MAPPED: Final = 20_000
"""Defects that a map shows one by one, the worst; the density shows all."""

DENSITY_BINS: Final = 400

Sort = Literal["number", "along", "across", "length", "width", "area", "severity", "confidence"]


class UnknownError(Exception):
    """What was asked for is not in the store."""


class UnavailableError(Exception):
    """The store cannot be read now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which defects are meant; all where nothing is said.

    Attributes:
        classes: Names of classes.
        severities: Severities.
        from_m: From this place on, in m.
        to_m: Up to this place, in m.
        min_mm2: At least so large, in mm².
        max_mm2: At most so large, in mm².
    """

    classes: frozenset[str] = frozenset()
    severities: frozenset[str] = frozenset()
    from_m: float | None = None
    to_m: float | None = None
    min_mm2: float | None = None
    max_mm2: float | None = None

    def takes(self, defect: Defect) -> bool:
        """Return whether a defect is meant."""
        return (
            (not self.classes or defect.class_name in self.classes)
            and (not self.severities or defect.severity in self.severities)
            and (self.from_m is None or defect.along_end_m >= self.from_m)
            and (self.to_m is None or defect.along_start_m <= self.to_m)
            and (self.min_mm2 is None or defect.area_mm2 >= self.min_mm2)
            and (self.max_mm2 is None or defect.area_mm2 <= self.max_mm2)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CoilView:
    """What is known of a coil without its defects one by one.

    Attributes:
        record: Its record.
        length_m: Length in m; of a coil that runs, what is known so far.
        width_mm: Width of the strip in mm.
        coverage: Stretches by camera, then metre, without a gap.
        totals: One for each status.
        by_class: Number of defects by class.
        by_severity: Number of defects by severity.
        repeats: Marks of damaged rolls.
        grading: The judgement that counts, if there is one.
    """

    record: CoilRecord
    length_m: float
    width_mm: float
    coverage: tuple[CoverageSpan, ...]
    totals: tuple[CoverageTotal, ...]
    by_class: Mapping[str, int]
    by_severity: Mapping[str, int]
    repeats: tuple[RollRepeat, ...]
    grading: Grading | None


class Reader:
    """Opens the store anew for each question, so that any thread may ask.

    Args:
        path: The store.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def store(self) -> Iterator[Store]:
        """Give the store as it is at one moment.

        Raises:
            UnavailableError: It cannot be read.
        """
        with _unavailable(), Store.open(self._path, readonly=True) as store, store.snapshot():
            yield store

    def coils(self) -> list[tuple[CoilRecord, Grading | None]]:
        """Return all coils with the judgement that counts, the newest first."""
        with self.store() as store:
            return [(coil, _first(store.gradings(coil.id))) for coil in store.coils()]

    def latest(self) -> CoilRecord | None:
        """Return the coil that began last, if there is one."""
        with self.store() as store:
            return _first(store.coils())

    def coil(self, coil: str) -> CoilView:
        """Return what is known of a coil.

        Raises:
            UnknownError: There is none of that id.
        """
        with self.store() as store:
            record = known_coil(store, coil)
            found = store.defects(coil)
            return _view(
                record,
                found,
                store.coverage(coil),
                store.roll_repeats(coil),
                _first(store.gradings(coil)),
            )

    def page(
        self, coil: str, which: Filter, *, sort: Sort, falling: bool, offset: int, limit: int
    ) -> tuple[int, list[Defect]]:
        """Return how many defects are meant, and one page of them."""
        with self.store() as store:
            known_coil(store, coil)
            found = [d for d in store.defects(coil) if which.takes(d)]
        found.sort(key=lambda d: d.number)
        found.sort(key=_SORTS[sort], reverse=falling)
        return len(found), found[offset : offset + limit]

    def map(self, coil: str, which: Filter) -> dict[str, Any]:
        """Return places of defects in columns: at most ``MAX_MAPPED``, the worst, and a density.

        The density counts all that are meant, over ``DENSITY_BINS`` stretches of the coil.
        """
        view = self.coil(coil)
        with self.store() as store:
            found = [d for d in store.defects(coil) if which.takes(d)]
        per_m = DENSITY_BINS / max(view.length_m, 1e-9)
        density = [0] * DENSITY_BINS
        for d in found:
            middle_m = (d.along_start_m + d.along_end_m) / 2
            density[min(max(int(middle_m * per_m), 0), DENSITY_BINS - 1)] += 1
        worst = sorted(found, key=lambda d: (rank(d.severity), -d.area_mm2))[:MAX_MAPPED]
        return {"total": len(found), "density": density, "defects": columns(worst)}

    def report(self, coil: str) -> Report:
        """Return the report of a coil.

        Raises:
            UnknownError: There is none of that id.
        """
        with _unavailable(), Store.open(self._path, readonly=True) as store:
            known_coil(store, coil)
            return build_report(store, coil)

    def defects(self, coil: str, numbers: Sequence[int]) -> list[Defect]:
        """Return defects of a coil by their numbers; those that are not there are left out."""
        wanted = set(numbers)
        with self.store() as store:
            known_coil(store, coil)
            return [d for d in store.defects(coil) if d.number in wanted]


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        raise UnavailableError(str(error)) from error


def known_coil(store: Store, coil: str) -> CoilRecord:
    """Return the record of a coil.

    Raises:
        UnknownError: There is none of that id.
    """
    try:
        return store.coil(coil)
    except StoreError as error:
        raise UnknownError(str(error)) from error


def rank(severity: str) -> int:
    """Return 0 for the worst severity, and more for others."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def columns(defects: Sequence[Defect]) -> dict[str, list[Any]]:
    """Return what a map draws, in columns: they are half as long as rows."""
    return {
        "number": [d.number for d in defects],
        "class_name": [d.class_name for d in defects],
        "severity": [d.severity for d in defects],
        "start": [round(d.along_start_m, 3) for d in defects],
        "end": [round(d.along_end_m, 3) for d in defects],
        "left": [round(d.across_left_mm, 1) for d in defects],
        "right": [round(d.across_right_mm, 1) for d in defects],
    }


_SORTS: Final = {
    "number": lambda d: d.number,
    "along": lambda d: d.along_start_m,
    "across": lambda d: d.across_left_mm,
    "length": lambda d: d.length_mm,
    "width": lambda d: d.width_mm,
    "area": lambda d: d.area_mm2,
    "severity": lambda d: (-rank(d.severity), d.area_mm2),
    "confidence": lambda d: d.confidence,
}


def _first(items: Sequence[_T]) -> _T | None:
    return items[0] if items else None


def _view(
    record: CoilRecord,
    found: Sequence[Defect],
    intervals: Sequence[CoverageInterval],
    repeats: tuple[RollRepeat, ...],
    grading: Grading | None,
) -> CoilView:
    length_m = known_length_m(record, intervals, found)
    coverage = coverage_spans(intervals, record, length_m)
    return CoilView(
        record=record,
        length_m=length_m,
        width_mm=strip_width_mm(record, found),
        coverage=coverage,
        totals=coverage_totals(coverage),
        by_class=Counter(d.class_name for d in found),
        by_severity=Counter(d.severity for d in found),
        repeats=repeats,
        grading=grading,
    )

"""What the live page reads from the store, which it never writes."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

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
from stripscan.runtime.report.model import Report, build_report
from stripscan.runtime.store import CoilRecord, Store
from stripscan.runtime.store_reading import OTHER, DefectMap

_T = TypeVar("_T")

MAX_MAPPED: Final = 20_000
"""Defects that a map shows one by one, the worst; the density shows all."""

DENSITY_BINS: Final = 400

_KEPT_MAPS: Final = 4
_FOR_WIDTH: Final = 200  # defects that tell how wide the strip is

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

    def chosen(self, places: DefectMap) -> NDArray[np.intp]:
        """Return the places in a map of the defects that are meant, by number."""
        meant = np.ones(len(places.number), np.bool_)
        if self.classes:
            meant &= _is_one_of(places.class_index, places.classes, self.classes)
        if self.severities:
            meant &= _is_one_of(places.severity_index, places.severities, self.severities)
        for limit, column, sign in (
            (self.from_m, places.along_end_m, 1),
            (self.to_m, places.along_start_m, -1),
            (self.min_mm2, places.area_mm2, 1),
            (self.max_mm2, places.area_mm2, -1),
        ):
            if limit is not None:
                meant &= sign * column >= sign * limit
        return np.flatnonzero(meant)


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
        self._kept: dict[tuple[str, str, str], DefectMap] = {}
        self._lock = threading.Lock()

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

    def latest(self) -> str | None:
        """Return the coil that began last, if there is one."""
        with self.store() as store:
            coils = store.coils()
        return coils[0].id if coils else None

    def coil(self, coil: str) -> CoilView:
        """Return what is known of a coil.

        Raises:
            UnknownError: There is none of that id.
        """
        with self.store() as store:
            record = known_coil(store, coil)
            counts = store.counts(coil)
            intervals = store.coverage(coil)
            repeats = store.roll_repeats(coil)
            grading = _first(store.gradings(coil))
            some = store.defect_page(coil, order="newest", limit=_FOR_WIDTH)
        length_m = known_length_m(record, intervals, some)
        coverage = coverage_spans(intervals, record, length_m)
        by_class: Counter[str] = Counter()
        by_severity: Counter[str] = Counter()
        for each in counts:
            by_class[each.class_name] += each.count
            by_severity[each.severity] += each.count
        return CoilView(
            record=record,
            length_m=length_m,
            width_mm=strip_width_mm(record, some),
            coverage=coverage,
            totals=coverage_totals(coverage),
            by_class=by_class,
            by_severity=by_severity,
            repeats=repeats,
            grading=grading,
        )

    def page(
        self, coil: str, which: Filter, *, sort: Sort, falling: bool, offset: int, limit: int
    ) -> tuple[int, list[Defect]]:
        """Return how many defects are meant, and one page of them."""
        places = self._places(coil)
        found = which.chosen(places)
        keys = [key[found] for key in _SORTS[sort](places)]
        ways: list[NDArray[Any]] = [places.number[found]]
        ways += [-key if falling else key for key in keys]
        order = np.lexsort(ways)
        numbers = places.number[found[order[offset : offset + limit]]].tolist()
        by_number = {defect.number: defect for defect in self.defects(coil, numbers)}
        return len(found), [by_number[n] for n in numbers if n in by_number]

    def newest(self, coil: str, limit: int, *, severity: str | None = None) -> list[Defect]:
        """Return the defects that were found last, the newest first."""
        severities = None if severity is None else [severity]
        with self.store() as store:
            return list(store.defect_page(coil, severities=severities, order="newest", limit=limit))

    def map(self, coil: str, which: Filter) -> dict[str, Any]:
        """Return places of defects in columns: at most ``MAX_MAPPED``, the worst, and a density.

        The density counts all that are meant, over ``DENSITY_BINS`` stretches of the coil.
        """
        places = self._places(coil)
        with self.store() as store:
            record = known_coil(store, coil)
            length_m = known_length_m(record, store.coverage(coil), ())
        found = which.chosen(places)
        middle_m = (places.along_start_m[found] + places.along_end_m[found]) / 2
        bins = (middle_m * (DENSITY_BINS / max(length_m, 1e-9))).astype(np.int64)
        density = np.bincount(np.clip(bins, 0, DENSITY_BINS - 1), minlength=DENSITY_BINS)
        worst = found[np.lexsort((-places.area_mm2[found], places.severity_index[found]))]
        return {
            "total": len(found),
            "density": density.tolist(),
            "defects": _columns(places, np.sort(worst[:MAX_MAPPED])),
        }

    def _places(self, coil: str) -> DefectMap:
        """Return where the defects of a coil lie; of one that has ended it is read once."""
        with self.store() as store:
            record = known_coil(store, coil)
            grading = _first(store.gradings(coil))
            # Who grades a coil anew may change severities.
            key = (coil, str(record.ended_at), grading.graded_at if grading else "")
            places = self._kept.get(key)
            if places is None:
                places = store.defect_map(coil)
        if record.status != "running":
            with self._lock:
                self._kept[key] = places
                while len(self._kept) > _KEPT_MAPS:
                    self._kept.pop(next(iter(self._kept)))
        return places

    def report(self, coil: str) -> Report:
        """Return the report of a coil.

        Raises:
            UnknownError: There is none of that id.
        """
        with _unavailable(), Store.open(self._path, readonly=True) as store:
            known_coil(store, coil)
            return build_report(store, coil)

    def defects(self, coil: str, numbers: Sequence[int]) -> tuple[Defect, ...]:
        """Return defects of a coil by their numbers; those that are not there are left out."""
        with self.store() as store:
            known_coil(store, coil)
            return store.some_defects(coil, numbers)


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


def _columns(places: DefectMap, chosen: NDArray[np.intp]) -> dict[str, list[Any]]:
    classes = [*places.classes, *[""] * (OTHER + 1 - len(places.classes))]
    severities = [*places.severities, *[""] * (OTHER + 1 - len(places.severities))]
    return {
        "number": places.number[chosen].tolist(),
        "class_name": [classes[i] for i in places.class_index[chosen].tolist()],
        "severity": [severities[i] for i in places.severity_index[chosen].tolist()],
        "start": places.along_start_m[chosen].round(3).tolist(),
        "end": places.along_end_m[chosen].round(3).tolist(),
        "left": places.across_left_mm[chosen].round(1).tolist(),
        "right": places.across_right_mm[chosen].round(1).tolist(),
    }


_SORTS: Final[Mapping[Sort, Callable[[DefectMap], list[NDArray[Any]]]]] = {
    "number": lambda places: [places.number],
    "along": lambda places: [places.along_start_m],
    "across": lambda places: [places.across_left_mm],
    "length": lambda places: [places.along_end_m - places.along_start_m],
    "width": lambda places: [places.across_right_mm - places.across_left_mm],
    "area": lambda places: [places.area_mm2],
    "severity": lambda places: [places.area_mm2, -places.severity_index.astype(np.int16)],
    "confidence": lambda places: [places.confidence],
}
"""Keys of each order, the one that counts most last, as ``np.lexsort`` takes them."""


def _is_one_of(
    index: NDArray[np.uint8], names: Sequence[str], wanted: frozenset[str]
) -> NDArray[np.bool_]:
    known = np.zeros(OTHER + 1, np.bool_)
    known[: len(names)] = [name in wanted for name in names]
    chosen: NDArray[np.bool_] = known[index]
    return chosen


def _first(items: Sequence[_T]) -> _T | None:
    return items[0] if items else None

"""From components to defects: when one is reported, how it grows, and when it ends."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count

from stripscan.contract.classes import DefectClass
from stripscan.contract.defect import Defect, DefectPhase
from stripscan.contract.errors import BundleError
from stripscan.contract.rle import Runs
from stripscan.runtime.measure import Measure, Metric, measure
from stripscan.runtime.stitching import Piece, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What a stretch of strip changes in the store, to be applied in this order.

    Attributes:
        merged: Pairs ``(gone, into)`` of defect numbers.
        defects: Records, new or changed.
        runs: Parts of masks by defect number.
    """

    merged: tuple[tuple[int, int], ...] = ()
    defects: tuple[Defect, ...] = ()
    runs: tuple[tuple[int, Runs], ...] = ()


@dataclass(slots=True, kw_only=True)
class _Open:
    measured: Measure = field(default_factory=Measure)
    waiting: list[Runs] = field(default_factory=list)
    number: int | None = None
    reported: bool = False


class DefectTracker:
    """Keeps the open components of one surface of a coil and turns them into defects.

    A component becomes a defect as soon as it is as large as its classes ask for, and keeps its
    number for life. Where it has pixels of several classes, each counts as a share of its own
    smallest area: such a sum only grows, so that what is found does not depend on where the strip
    was cut. Where two defects turn out to be one, the lower number stays.

    Args:
        coil: Name of the coil.
        classes: Classes by id.
        min_area_px: Smallest defect in pixels by class name.
        surface: Side of the strip.
        numbers: Numbers for defects, rising; from 1 on if None.
    """

    def __init__(
        self,
        *,
        coil: str,
        classes: Mapping[int, DefectClass],
        min_area_px: Mapping[str, int],
        surface: str = "top",
        numbers: Iterator[int] | None = None,
    ) -> None:
        self._coil = coil
        self._surface = surface
        self._numbers = count(1) if numbers is None else numbers
        self._classes = classes
        self._min_area_px = min_area_px
        self._open: dict[int, _Open] = {}
        self._count = 0

    @property
    def count(self) -> int:
        """How many defects were numbered, those that were merged later included."""
        return self._count

    def apply(self, step: Step, metric: Metric) -> Changes:
        """Take in a step of the labeller.

        Args:
            step: What changed.
            metric: Pitch and edges of at least the lines of the step's pieces.

        Raises:
            BundleError: A pixel has a class that is not among the classes.
        """
        merged = [pair for gone, into in step.merged if (pair := self._merge(gone, into))]
        touched: dict[int, None] = {into: None for _, into in step.merged}
        for piece in step.pieces:
            self._check_classes(piece)
            component = self._open.setdefault(piece.component, _Open())
            component.measured.add(measure(piece, metric))
            component.waiting.append(piece.runs)
            touched[piece.component] = None
        defects: list[Defect] = []
        runs: list[tuple[int, Runs]] = []
        for number in touched:
            if number in self._open and number not in step.closed:
                self._report(self._open[number], defects, runs, ended=False)
        for number in step.closed:
            component_closed = self._open.pop(number, None)
            if component_closed:
                self._report(component_closed, defects, runs, ended=True)
        return Changes(merged=tuple(merged), defects=tuple(defects), runs=tuple(runs))

    def _check_classes(self, piece: Piece) -> None:
        if foreign := set(piece.pixels.nonzero()[0].tolist()) - set(self._classes):
            raise BundleError(
                f"the model found class {min(foreign)}, its manifest has the classes "
                f"{sorted(self._classes)}: export the bundle again"
            )

    def _is_defect(self, component: _Open) -> bool:
        pixels = component.measured.pixels
        shares = (
            pixels[number] / max(self._min_area_px[kind.name], 1)
            for number, kind in self._classes.items()
        )
        return bool(sum(shares) >= 1)

    def _merge(self, gone: int, into: int) -> tuple[int, int] | None:
        lost = self._open.pop(gone, None)
        if lost is None:
            return None
        kept = self._open.setdefault(into, _Open())
        kept.measured.add(lost.measured)
        kept.waiting.extend(lost.waiting)
        numbers = sorted(n for n in (kept.number, lost.number) if n is not None)
        if numbers:
            kept.number, kept.reported = numbers[0], True
        return (numbers[1], numbers[0]) if len(numbers) == 2 else None

    def _report(
        self, component: _Open, defects: list[Defect], runs: list[tuple[int, Runs]], *, ended: bool
    ) -> None:
        if component.measured.last_line < 0:
            return
        if component.number is None:
            if not self._is_defect(component):
                return
            self._count += 1
            component.number = next(self._numbers)
        phase = DefectPhase.UPDATE if component.reported else DefectPhase.NEW
        component.reported = True
        defects.append(
            self._record(component, component.number, DefectPhase.END if ended else phase)
        )
        runs.extend((component.number, part) for part in component.waiting)
        component.waiting.clear()

    def _record(self, component: _Open, number: int, phase: DefectPhase) -> Defect:
        seen = component.measured
        kind = self._classes[seen.class_id]
        shares = seen.shares
        return Defect(
            coil=self._coil,
            number=number,
            phase=phase,
            class_name=kind.name,
            confidence=seen.confidence,
            class_share={c.name: float(shares[i]) for i, c in self._classes.items() if shares[i]},
            severity=kind.severity,
            along_start_m=seen.along_start_m,
            along_end_m=seen.along_end_m,
            across_left_mm=seen.across_left_mm,
            across_right_mm=seen.across_right_mm,
            area_mm2=seen.area_mm2,
            length_mm=(seen.along_end_m - seen.along_start_m) * 1000.0,
            width_mm=seen.across_right_mm - seen.across_left_mm,
            edge_left_mm=seen.across_left_mm,
            edge_right_mm=seen.edge_right_mm,
            first_line=seen.first_line,
            last_line=seen.last_line,
            first_px=seen.first_px,
            last_px=seen.last_px,
            area_px=seen.area_px,
            surface=self._surface,
        )

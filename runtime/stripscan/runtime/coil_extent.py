"""How long and wide a stored coil is, and how far it was inspected."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from stripscan.contract.coverage import CoverageInterval, CoverageStatus
from stripscan.contract.defect import Defect
from stripscan.runtime.store_records import CoilRecord

_NO_RECORD: Final = "nothing was recorded"


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageSpan:
    """A stretch of one camera with one status, in metres from the head."""

    camera: str
    start_m: float
    end_m: float
    status: CoverageStatus
    reason: str = ""

    @property
    def length_m(self) -> float:
        """Length of the stretch in m."""
        return self.end_m - self.start_m


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageTotal:
    """All stretches of one status: metres, and 0–100 % of what passed under the cameras.

    Of several cameras the metres are the mean.
    """

    status: CoverageStatus
    length_m: float
    percent: float


def known_length_m(
    coil: CoilRecord, intervals: Iterable[CoverageInterval], defects: Iterable[Defect]
) -> float:
    """Return the length of a coil in m; of one that has not ended, what is known so far."""
    if coil.length_m is not None:
        return coil.length_m
    return max([i.along_end_m for i in intervals] + [d.along_end_m for d in defects], default=0.0)


def strip_width_mm(coil: CoilRecord, defects: Iterable[Defect]) -> float:
    """Return the width of the strip in mm as its defects tell it; without any, the view's."""
    return max(
        (d.across_right_mm + max(0.0, d.edge_right_mm) for d in defects),
        default=coil.width_px * coil.mm_per_px,
    )


def coverage_spans(
    intervals: Iterable[CoverageInterval], coil: CoilRecord, length_m: float
) -> tuple[CoverageSpan, ...]:
    """Return the intervals, and as unknown what no interval tells of: silence is not clean."""
    by_camera: dict[str, list[CoverageSpan]] = {}
    for i in intervals:
        span = CoverageSpan(
            camera=i.camera,
            start_m=i.along_start_m,
            end_m=i.along_end_m,
            status=i.status,
            reason=i.reason,
        )
        by_camera.setdefault(i.camera, []).append(span)
    one_line_m = coil.mm_per_line / 1000
    filled: list[CoverageSpan] = []
    for camera, spans in (by_camera or {coil.camera: []}).items():
        end_m = 0.0
        for span in spans:
            if span.start_m - end_m > one_line_m:
                filled.append(_unrecorded(camera, end_m, span.start_m))
            filled.append(span)
            end_m = max(end_m, span.end_m)
        if length_m - end_m > one_line_m:
            filled.append(_unrecorded(camera, end_m, length_m))
    return tuple(filled)


def _unrecorded(camera: str, start_m: float, end_m: float) -> CoverageSpan:
    return CoverageSpan(
        camera=camera,
        start_m=start_m,
        end_m=end_m,
        status=CoverageStatus.UNKNOWN,
        reason=_NO_RECORD,
    )


def uninspected_m(spans: Iterable[CoverageSpan]) -> float:
    """Return the length in m that some camera has not inspected by the full chain."""
    gaps = [span for span in spans if span.status is not CoverageStatus.INSPECTED]
    if len({gap.camera for gap in gaps}) < 2:  # the sum is exact
        return sum(max(gap.length_m, 0.0) for gap in gaps)
    total_m = end_m = 0.0
    for gap in sorted(gaps, key=lambda gap: gap.start_m):
        total_m += max(gap.end_m - max(gap.start_m, end_m), 0.0)
        end_m = max(end_m, gap.end_m)
    return total_m


def coverage_totals(spans: Sequence[CoverageSpan]) -> tuple[CoverageTotal, ...]:
    """Return the total of each status: of several cameras the mean, so that all are the coil."""
    length_m = dict.fromkeys(CoverageStatus, 0.0)
    cameras = max(len({span.camera for span in spans}), 1)
    for span in spans:
        length_m[span.status] += span.length_m / cameras
    # The one sum, so that a coil that is inspected throughout has 100 % and not 99.999….
    total_m = sum(length_m.values())
    return tuple(
        CoverageTotal(
            status=status, length_m=metres, percent=100 * (metres / total_m) if total_m else 0.0
        )
        for status, metres in length_m.items()
    )

"""What each of several cameras has seen of the lines of a band."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.block import LineRange
from stripscan.contract.coverage import SEEN, CoverageStatus
from stripscan.runtime.bands import Band, Span
from stripscan.runtime.panorama.geometry import Share

_STRENGTH: Final = {
    CoverageStatus.INSPECTED: 0,
    CoverageStatus.DEGRADED: 1,
    CoverageStatus.DROPPED: 2,
    CoverageStatus.UNKNOWN: 3,
}


class CameraLedger:
    """Keeps what cameras did not see until the band comes in which it lies.

    Args:
        shares: Who owns which columns.
    """

    def __init__(self, shares: Sequence[Share]) -> None:
        self._shares = shares
        self._spans: dict[str, list[Span]] = {share.camera: [] for share in shares}

    def add(self, spans: Iterable[Span]) -> None:
        """Take in what single cameras did not see; spans of other cameras are passed over."""
        for span in spans:
            if span.camera in self._spans:
                self._spans[span.camera].append(span)

    def take(self, band: Band) -> tuple[Span, ...]:
        """Return what is known of a band's lines, camera by camera, each without a gap.

        Of two that speak of a line the one that knows less counts.
        """
        told: list[Span] = []
        for camera, spans in self._spans.items():
            told += _merged(camera, band, spans)
            self._spans[camera] = [s for s in spans if s.lines.stop > band.core.stop]
        return tuple(told)

    def clear(self, mask: NDArray[np.uint8], band: Band, told: Iterable[Span]) -> None:
        """Clear what was found where a camera saw nothing, or nothing to be trusted.

        Args:
            mask: uint8 ``[lines, width]``, class ids; changed.
            band: Its lines.
            told: What ``take`` gave.
        """
        columns = {share.camera: share.columns for share in self._shares}
        for span in told:
            if span.status not in SEEN:
                mask[_rows(span, band), columns[span.camera]] = 0


def _rows(span: Span, band: Band) -> slice:
    return slice(span.lines.start - band.core.start, span.lines.stop - band.core.start)


def _merged(camera: str, band: Band, spans: Iterable[Span]) -> Iterator[Span]:
    """Yield what is known of the lines of a band by one camera."""
    first = band.core.start
    known: list[tuple[CoverageStatus, str]] = []
    for span in band.spans:
        known += [(span.status, span.reason)] * span.lines.lines
    for span in spans:
        start = max(span.lines.start - first, 0)
        for row in range(start, min(span.lines.stop - first, len(known))):
            if _STRENGTH[span.status] >= _STRENGTH[known[row][0]]:
                known[row] = (span.status, span.reason)
    row = 0
    for (status, reason), same in groupby(known):
        stop = row + sum(1 for _ in same)
        lines = LineRange(start=first + row, stop=first + stop)
        yield Span(lines=lines, status=status, reason=reason, camera=camera)
        row = stop

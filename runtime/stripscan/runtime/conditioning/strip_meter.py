"""Where the strip ran: its edges and width in millimetres, and how far it wandered."""

import numpy as np
from numpy.typing import NDArray

from stripscan.runtime.edges import Edges
from stripscan.runtime.store_records import Stat


class StripMeter:
    """Sums up the edges of a coil, band by band, in memory that does not grow.

    A band counts with the median of its lines, so that a spot on the edge does not. What never
    left the whole view is no edge, and does not count either.

    Args:
        width_px: Width of the camera's image.
        mm_per_px: Pitch across in mm.
    """

    def __init__(self, *, width_px: int, mm_per_px: float) -> None:
        self._width_px = width_px
        self._mm_per_px = mm_per_px
        # Bands by left edge, right edge and width, in half pixels: medians of whole columns.
        self._counts = np.zeros((3, 2 * width_px + 1), np.int64)
        self._centres_px = (np.inf, -np.inf)

    def push(self, edges: Edges) -> None:
        """Take in the edges of a band's lines that were inspected, float32 ``[lines, 2]``."""
        found = found_edges(edges, self._width_px)
        if not len(found):
            return
        left, right = np.median(found, axis=0).tolist()
        for row, value in enumerate((left, right, right - left)):
            self._counts[row, np.clip(round(2 * value), 0, 2 * self._width_px)] += 1
        low, high = self._centres_px
        centre = (left + right) / 2
        self._centres_px = min(low, centre), max(high, centre)

    def stats(self) -> dict[str, Stat]:
        """Return the figures of the coil so far, in mm, from the left of the view; none at first.

        ``strip_wander_mm`` is the way between the outermost places of the strip's middle.
        """
        if not self._counts.any():
            return {}
        left, right, width = (self._quantiles_mm(row) for row in self._counts)
        low, high = self._centres_px
        return {
            "strip_left_mm": left[1],
            "strip_right_mm": right[1],
            "strip_width_min_mm": width[0],
            "strip_width_median_mm": width[1],
            "strip_width_max_mm": width[2],
            "strip_wander_mm": (high - low) * self._mm_per_px,
        }

    def _quantiles_mm(self, counts: NDArray[np.int64]) -> tuple[float, float, float]:
        """Return the least, the median and the largest."""
        up_to = np.cumsum(counts)
        ranks = (1, (up_to[-1] + 1) // 2, up_to[-1])
        low, middle, high = (
            float(np.searchsorted(up_to, rank)) / 2 * self._mm_per_px for rank in ranks
        )
        return low, middle, high


def found_edges(edges: Edges, width_px: int) -> Edges:
    """Return the lines on which an edge is in view."""
    return edges[(edges[:, 0] > 0) | (edges[:, 1] < width_px)]

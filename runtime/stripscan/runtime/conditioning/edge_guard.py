"""Which columns may hold defects, where a margin along the strip's edges is not reported.

A dark defect on the edge looks like the end of the strip. So the edges as they are found on a line
never mask anything by themselves: metal is masked only where the edge lies by all that is known.
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from stripscan.runtime.conditioning.strip_meter import found_edges
from stripscan.runtime.edges import Edges

_STRETCH_MM = 2000.0
_SAMPLE_LINES = 8  # edges change every eighth line
_LEAST_SHARE = 0.25
_MARGIN_SHARE = 0.25

Columns = NDArray[np.int64]


class EdgeGuard:
    """Follows the strip's edges over a longer stretch.

    The edge that counts is the outermost of three: the one found on the line; the median of those
    over the last 2 m; and the line's other edge with the strip's width between. The width is the
    widest that such medians had on this coil, so that a dark defect of any length on an edge, or on
    both, is kept if the first half metre showed the edge. Before that nothing is masked.

    Args:
        width_px: Width of the camera's image.
        margin_px: Metal along each edge that is not reported, in px; of a strip that is narrower
            than four margins at most a quarter each.
        mm_per_line: Nominal pitch along in mm.
    """

    def __init__(self, *, width_px: int, margin_px: float, mm_per_line: float) -> None:
        self._width_px = width_px
        self._margin_px = margin_px
        samples = max(round(_STRETCH_MM / mm_per_line / _SAMPLE_LINES), 1)
        self._least = max(round(_LEAST_SHARE * samples), 1)
        self._recent: deque[Edges] = deque()
        self._known = 0
        self._samples = samples
        self._widest_px = 0.0

    def keep(self, edges: Edges, seen: NDArray[np.bool_]) -> tuple[Columns, Columns]:
        """Return for each line of a band the first column that is reported, and the one after.

        Args:
            edges: float32 ``[lines, 2]``: the edges as they were found.
            seen: bool ``[lines]``: lines that were inspected; only they tell of the edges.
        """
        self._learn(found_edges(edges[seen][::_SAMPLE_LINES], self._width_px))
        if self._known < self._least:
            lines = len(edges)
            return np.zeros(lines, np.int64), np.full(lines, self._width_px)
        steady_left, steady_right = np.median(np.concatenate(self._recent), axis=0).tolist()
        self._widest_px = max(self._widest_px, steady_right - steady_left)
        left = np.minimum(edges[:, 0], np.minimum(steady_left, edges[:, 1] - self._widest_px))
        right = np.maximum(edges[:, 1], np.maximum(steady_right, edges[:, 0] + self._widest_px))
        margin = min(self._margin_px, _MARGIN_SHARE * self._widest_px)
        first = np.floor(np.where(left > 0, left + margin, 0)).astype(np.int64)
        stop = np.ceil(np.where(right < self._width_px, right - margin, self._width_px))
        return np.clip(first, 0, self._width_px), np.clip(stop.astype(np.int64), 0, self._width_px)

    def _learn(self, found: Edges) -> None:
        if not len(found):
            return
        self._recent.append(found)
        self._known += len(found)
        while self._known - len(self._recent[0]) >= self._samples:
            self._known -= len(self._recent.popleft())

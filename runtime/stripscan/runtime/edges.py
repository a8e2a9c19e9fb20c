"""Where the strip's edges are, measured from the picture.

The edges place defects; by themselves they never mask any: a dark defect at the edge looks like no
strip. ``conditioning.edge_guard`` tells when metal beside them may be left out.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from stripscan.runtime.grey import DARK_GREY

_STEP_LINES = 8
_SMOOTH_PX = 9
_MEDIAN_SAMPLES = 5

Edges = NDArray[np.float32]
"""float32 ``[lines, 2]``: camera column of the left edge, and column after the right edge."""


class StripEdges:
    """Finds the edges of a strip that arrives in stretches of lines.

    Every eighth line of the coil is smoothed across; its edges are the first and the last column
    that are lit, and the median of the last five such lines is kept, so that a dark spot on the
    edge does not move it. It depends on the lines of the coil alone, not on how they are cut.

    Args:
        width_px: Width of the camera's image.
        detect: False says that the strip fills the view.
    """

    def __init__(self, *, width_px: int, detect: bool) -> None:
        self._detect = detect
        self._line = 0
        self._view = np.asarray([[0, width_px]], np.float32)
        self._recent: Edges = np.empty((0, 2), np.float32)
        self._current: Edges = self._view

    def push(self, pixels: NDArray[np.uint8]) -> Edges:
        """Return the edges of the next lines.

        Args:
            pixels: uint8 ``[lines, width]``.

        Returns:
            float32 ``[lines, 2]``. Lines without metal have the edges of those before; at the
            head, where there are none, they span the whole view.
        """
        lines = pixels.shape[0]
        if not self._detect:
            return np.repeat(self._view, lines, axis=0)
        offset = -self._line % _STEP_LINES
        self._line += lines
        if offset >= lines:
            return np.repeat(self._current, lines, axis=0)
        medians = self._medians(pixels[offset::_STEP_LINES])
        before = np.repeat(self._current, offset, axis=0)
        self._current = medians[-1:]
        return np.concatenate([before, np.repeat(medians, _STEP_LINES, axis=0)])[:lines]

    def _medians(self, samples: NDArray[np.uint8]) -> Edges:
        lit = cv2.blur(samples, (_SMOOTH_PX, 1)) >= DARK_GREY
        metal = lit.any(axis=1)
        left = np.argmax(lit, axis=1)
        right = lit.shape[1] - np.argmax(lit[:, ::-1], axis=1)
        found = np.stack([left, right], axis=1).astype(np.float32)[metal]
        index = len(self._recent) + np.cumsum(metal)
        seen = np.concatenate([self._recent, found])
        self._recent = seen[-_MEDIAN_SAMPLES:]
        if not len(seen):
            return np.repeat(self._view, len(samples), axis=0)
        padded = np.pad(seen, ((_MEDIAN_SAMPLES - 1, 0), (0, 0)), mode="edge")
        windows = np.lib.stride_tricks.sliding_window_view(padded, _MEDIAN_SAMPLES, axis=0)
        # The median of an odd number; np.median takes eight times as long for so few.
        medians = np.sort(windows, axis=2)[:, :, _MEDIAN_SAMPLES // 2]
        edges: Edges = np.concatenate([self._view, medians])[index]
        return edges

"""Where the strip's edges are, measured from the picture.

The edges place defects; they never mask any: a dark defect at the edge looks like no strip.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from stripscan.runtime.trust import DARK_GREY

_STEP_LINES = 8
_SMOOTH_PX = 9
_MEDIAN_SAMPLES = 5


def strip_edges(pixels: NDArray[np.uint8], *, detect: bool) -> NDArray[np.float32]:
    """Return the strip's edges of each line, in camera columns.

    Every eighth line is smoothed across; its edges are the first and the last column that are
    lit, and the median of five such lines is kept, so that a dark spot on the edge does not move
    it.

    Args:
        pixels: uint8 ``[lines, width]``.
        detect: False says that the strip fills the view.

    Returns:
        float32 ``[lines, 2]``: column of the left edge, and column after the right edge. A line
        without metal spans the whole view.
    """
    lines, width = pixels.shape
    if not detect:
        return np.tile(np.asarray([0, width], np.float32), (lines, 1))
    smooth = cv2.blur(pixels[::_STEP_LINES], (_SMOOTH_PX, 1))
    lit = smooth >= DARK_GREY
    left = np.argmax(lit, axis=1).astype(np.float32)
    right = (width - np.argmax(lit[:, ::-1], axis=1)).astype(np.float32)
    samples = np.stack([left, right], axis=1)
    reach = _MEDIAN_SAMPLES // 2
    padded = np.pad(samples, ((reach, reach), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, _MEDIAN_SAMPLES, axis=0)
    median = np.median(windows, axis=2).astype(np.float32)
    return np.repeat(median, _STEP_LINES, axis=0)[:lines]

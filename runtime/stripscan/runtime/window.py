"""The last lines of a coil, to cut pictures of defects from."""

from collections import deque

import cv2
import numpy as np
from numpy.typing import NDArray

from stripscan.contract.defect import Defect
from stripscan.runtime.store_records import Picture

_MARGIN_PX = 24


class LineWindow:
    """Keeps the last lines.

    Args:
        width_px: Width of the camera's image.
        lines: How many lines are kept at least.
        picture_px: Largest side of a picture.
    """

    def __init__(self, *, width_px: int, lines: int, picture_px: int) -> None:
        self._parts: deque[NDArray[np.uint8]] = deque()
        self._width_px = width_px
        self._first = 0  # line of the first row of the first part
        self._count = 0
        self._shown = 0  # the first line that is kept
        self._lines = lines
        self._picture_px = picture_px

    def push(self, pixels: NDArray[np.uint8]) -> None:
        """Take in the next lines; they are not copied, and must not change."""
        self._shown = max(self._first + self._count - self._lines, 0)
        while self._parts and self._count - len(self._parts[0]) >= self._lines:
            gone = len(self._parts.popleft())
            self._first += gone
            self._count -= gone
        self._parts.append(pixels)
        self._count += len(pixels)

    def picture(self, defect: Defect) -> Picture | None:
        """Return a picture of what of the defect is still kept, with a margin; None if nothing is.

        Pictures larger than ``picture_px`` are scaled down, not cropped across; along, the end of
        the defect is shown.
        """
        stop = min(defect.last_line + 1 + _MARGIN_PX, self._first + self._count)
        start = max(defect.first_line - _MARGIN_PX, self._shown)
        left = max(defect.first_px - _MARGIN_PX, 0)
        right = min(defect.last_px + 1 + _MARGIN_PX, self._width_px)
        start = max(start, stop - max(self._picture_px, right - left))
        if start >= stop or left >= right:
            return None
        crop = self._lines_of(start, stop)[:, left:right]
        scale = self._picture_px / max(crop.shape)
        shown = crop
        if scale < 1:
            size = (max(round(crop.shape[1] * scale), 1), max(round(crop.shape[0] * scale), 1))
            shown = np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA), np.uint8)
        _, encoded = cv2.imencode(".png", shown)
        return Picture(
            image_png=encoded.tobytes(),
            first_line=start,
            first_px=left,
            lines=stop - start,
            width=right - left,
        )

    def _lines_of(self, start: int, stop: int) -> NDArray[np.uint8]:
        first, parts = self._first, []
        for part in self._parts:
            parts.append(part[max(start - first, 0) : max(stop - first, 0)])
            first += len(part)
        return np.concatenate(parts)

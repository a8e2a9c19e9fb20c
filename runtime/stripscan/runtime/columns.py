"""Columns of a camera that say nothing, inside the strip."""

import logging
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from stripscan.runtime.grey import BLOWN_GREY, DARK_GREY

logger = logging.getLogger(__name__)

_WINDOW_LINES = 512
_STILL_GREY = 1
_VARIES_GREY = 4
_WIDE_MM = 2.0


class DeadColumns:
    """Finds columns that keep one grey value while the metal beside them varies.

    A column is dead that moved by at most one grey value over 512 lines between two columns that
    moved by four or more. A stretch that reaches the border of the view may be the dark beside the
    strip, and is none; nor is a dark one whose neighbours were dark as well. Nor is one that is
    white: a long bright scratch looks like that, and a column that is stuck there is reported as
    one.

    Args:
        mm_per_px: Pitch of the pixels across the strip in mm.
    """

    def __init__(self, *, mm_per_px: float) -> None:
        self._mm_per_px = mm_per_px
        self._low: NDArray[np.uint8] | None = None
        self._high: NDArray[np.uint8] | None = None
        self._lines = 0
        self._known: set[int] = set()
        self.wide = False
        """Whether 2 mm or more side by side were dead when last looked at."""

    @property
    def known(self) -> str:
        """The columns that were dead at any time, like ``"40-43, 77"``."""
        return ", ".join(
            f"{start}-{stop - 1}" if stop - start > 1 else str(start)
            for start, stop in _stretches(sorted(self._known))
        )

    def push(self, rows: NDArray[np.uint8], *, lines: int, camera: str) -> None:
        """Take in some lines of a block.

        Args:
            rows: uint8 ``[rows, width]``, at least one.
            lines: How many lines they stand for.
            camera: Name of the camera, for the log.
        """
        low, high = rows.min(axis=0), rows.max(axis=0)
        self._low = low if self._low is None else np.minimum(self._low, low)
        self._high = high if self._high is None else np.maximum(self._high, high)
        self._lines += lines
        if self._lines >= _WINDOW_LINES:
            self._judge(self._low, self._high, camera)
            self._low = self._high = None
            self._lines = 0

    def _judge(self, low: NDArray[np.uint8], high: NDArray[np.uint8], camera: str) -> None:
        change = high - low
        still = np.flatnonzero((change <= _STILL_GREY) & (low < BLOWN_GREY)).tolist()
        dead = [
            (start, stop)
            for start, stop in _stretches(still)
            if start > 0
            and stop < len(change)
            and min(change[start - 1], change[stop]) >= _VARIES_GREY
            and (high[start:stop].max() >= DARK_GREY or min(low[start - 1], low[stop]) >= DARK_GREY)
        ]
        self.wide = any((stop - start) * self._mm_per_px >= _WIDE_MM for start, stop in dead)
        columns = {column for start, stop in dead for column in range(start, stop)}
        if columns - self._known:
            self._known |= columns
            logger.warning("dead columns", extra={"camera": camera, "columns": self.known})


def _stretches(columns: list[int]) -> list[tuple[int, int]]:
    """Return where runs of consecutive columns start and stop."""
    if not columns:
        return []
    cuts = [i + 1 for i, (a, b) in enumerate(pairwise(columns)) if b - a > 1]
    bounds = [0, *cuts, len(columns)]
    return [(columns[a], columns[b - 1] + 1) for a, b in pairwise(bounds)]

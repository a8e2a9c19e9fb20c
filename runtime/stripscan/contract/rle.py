"""Run-length masks: rows of ``(line, start_px, stop_px)``."""

import numpy as np
from numpy.typing import NDArray

Runs = NDArray[np.int64]
"""int64 ``[n, 3]``: line, first column, column after the last; sorted by line, then column."""


def runs_of(mask: NDArray[np.bool_] | NDArray[np.uint8], *, first_line: int = 0) -> Runs:
    """Return the runs of non-zero pixels.

    Args:
        mask: ``[lines, width]``, non-zero where the mask is set.
        first_line: Number of the mask's first line.

    Returns:
        int64 ``[n, 3]``.

    Example:
        >>> runs_of(np.array([[0, 1, 1, 0, 1]], np.uint8), first_line=7).tolist()
        [[7, 1, 3], [7, 4, 5]]
    """
    padded = np.zeros((mask.shape[0], mask.shape[1] + 2), np.int8)
    padded[:, 1:-1] = mask != 0
    steps = np.diff(padded, axis=1)
    start_line, start_px = np.nonzero(steps == 1)
    _, stop_px = np.nonzero(steps == -1)
    return np.stack([start_line + first_line, start_px, stop_px], axis=1).astype(np.int64)


def mask_of(runs: Runs, *, first_line: int, lines: int, width: int) -> NDArray[np.uint8]:
    """Return the mask, 0 or 1, of the runs that lie in a window.

    Args:
        runs: int64 ``[n, 3]``.
        first_line: Number of the window's first line.
        lines: Height of the window in lines.
        width: Width of the window in pixels, from column 0.

    Returns:
        uint8 ``[lines, width]``.
    """
    inside = runs[(runs[:, 0] >= first_line) & (runs[:, 0] < first_line + lines)]
    edges = np.zeros((lines, width + 1), np.int16)
    np.add.at(edges, (inside[:, 0] - first_line, np.clip(inside[:, 1], 0, width)), 1)
    np.add.at(edges, (inside[:, 0] - first_line, np.clip(inside[:, 2], 0, width)), -1)
    return (np.cumsum(edges[:, :-1], axis=1) > 0).astype(np.uint8)

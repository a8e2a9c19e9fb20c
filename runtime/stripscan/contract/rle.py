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
    lines, width = mask.shape
    # One row of bits with a blank after each line and before the first: where it changes, a run
    # starts or stops in turn. numpy looks through one row of bits many times as fast as through
    # two dimensions of anything else.
    bits = np.zeros(lines * (width + 1) + 1, np.bool_)
    np.not_equal(mask, 0, out=bits[1:].reshape(lines, width + 1)[:, :width])
    starts, stops = np.flatnonzero(bits[1:] != bits[:-1]).reshape(-1, 2).T
    line, start_px = np.divmod(starts, width + 1)
    runs = np.stack([line + first_line, start_px, stops - line * (width + 1)], axis=1)
    return runs.astype(np.int64, copy=False)


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

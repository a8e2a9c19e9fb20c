"""Learns a flat field from running strip, a white target, or a covered lens."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.block import Block
from stripscan.contract.coverage import CoverageStatus
from stripscan.contract.errors import DataError
from stripscan.runtime.conditioning.flat_field import (
    GAIN_RANGE,
    FlatField,
    Origin,
    column_ranges,
    named_columns,
)
from stripscan.runtime.edges import Edges, StripEdges
from stripscan.runtime.grey import DARK_GREY
from stripscan.runtime.trust import BlockTrust

STEP_LINES: Final = 8
"""Every so many lines one is taken: it covers more strip, so that one defect weighs less."""

MIN_LINES: Final = 64
"""Fewer lines than these, or fewer in a column, teach nothing."""

_GUARD_PX = 8  # edges are found to about 4 px, and the metal bends away there
_NEAR_SHARE = 0.15
_AROUND_PX = 8
_DEAD_SIDE_BY_SIDE = 4
_FAR_SHARE = 0.3
_FAR_GREY = 8.0
_MOVING_GREY = 2
_COLUMNS_AT_ONCE = 256

Pixels = NDArray[np.uint8]
Columns = NDArray[np.float32]


class LineSampler:
    """Collects lines to learn from, of blocks that can be trusted.

    Args:
        width_px: Width of the camera's image.
        mm_per_px: Pitch of the pixels across the strip in mm.
        detect: Whether the strip's edges are to be found; False says that metal fills the view.
        lines: How many lines are wanted.
        dark: Whether the lens is covered, so that dark blocks are what is wanted.
    """

    def __init__(
        self, *, width_px: int, mm_per_px: float, detect: bool, lines: int, dark: bool
    ) -> None:
        self._wanted = lines
        self._trust = None if dark else BlockTrust(mm_per_px=mm_per_px)
        self._strip = StripEdges(width_px=width_px, detect=detect and not dark)
        self._pixels = [np.empty((0, width_px), np.uint8)]
        self._edges = [np.empty((0, 2), np.float32)]
        self.count = 0
        self.blocks = 0

    @property
    def full(self) -> bool:
        """Whether there are as many lines as were wanted."""
        return self.count >= self._wanted

    def push(self, block: Block) -> None:
        """Take in a block; lines that show no metal, or were lost, do not count."""
        doubts = self._trust.spans(block) if self._trust else ()
        unknown = [span.lines for span in doubts if span.status is CoverageStatus.UNKNOWN]
        measured = np.ones(len(block.pixels), np.bool_)
        for hole in (*block.lost, *unknown):
            measured[hole.start - block.first_line : hole.stop - block.first_line] = False
        if not measured.any():
            return
        rows = np.flatnonzero(measured)[::STEP_LINES][: self._wanted - self.count]
        self._pixels.append(block.pixels[rows])
        self._edges.append(self._strip.push(block.pixels)[rows])
        self.count += len(rows)
        self.blocks += 1

    def lines(self) -> tuple[Pixels, Edges]:
        """Return the lines, uint8 ``[n, width]``, and their edges, float32 ``[n, 2]``."""
        return np.concatenate(self._pixels), np.concatenate(self._edges)


def learn_dark(lines: Pixels, *, origin: Origin) -> FlatField:
    """Return what each column gives without light: the median of its lines.

    Args:
        lines: uint8 ``[n, width]``, seen with the lens covered.
        origin: Where they are from.

    Raises:
        DataError: They are too few, or light fell in.
    """
    _need(len(lines))
    offset = np.median(lines, axis=0).astype(np.float32)
    usual = float(np.median(offset))
    if usual >= DARK_GREY:
        raise DataError(
            f"the image is not dark: half of its columns are above grey {usual:.0f}, and "
            f"{DARK_GREY} is the limit. Cover the lens, then learn the dark again"
        )
    dead = _refuse_wide(np.abs(offset - _around(offset)) > _FAR_GREY)
    ones = np.ones_like(offset)
    none = np.zeros(len(offset), np.bool_)
    return FlatField(
        origin=origin, level_grey=None, offset=offset, gain=ones, learned=none, dead=dead
    )


def learn(
    lines: Pixels, edges: Edges, *, origin: Origin, dark: FlatField | None = None
) -> FlatField:
    """Return gain and offset of each column.

    A line is divided by its own median first, so that brighter and darker strip count alike. A
    column's response is the mean of that over the lines on which it shows metal and lies within
    15 % of the median of these: defects and the strip's edges are in the minority and do not enter,
    and grain is averaged better than by a median. A mark that runs along the whole stretch does
    enter: it cannot be told from the camera's own pattern.

    Args:
        lines: uint8 ``[n, width]``.
        edges: float32 ``[n, 2]``: the strip's edges in columns.
        origin: Where they are from.
        dark: What ``learn_dark`` gave.

    Raises:
        DataError: There are too few lines or columns with metal, or columns that no gain can mend.
    """
    width = lines.shape[1]
    offset = np.zeros(width, np.float32) if dark is None else dark.offset
    inside = _inside(edges, width)
    level = np.array(
        [_median(line[on] - offset[on]) for line, on in zip(lines, inside, strict=True)]
    )
    lit = level >= DARK_GREY
    _need(int(lit.sum()))
    lines, inside, level = lines[lit], inside[lit], level[lit]
    response, usual, spread = _responses(lines, inside, level.astype(np.float32), offset)
    learned = inside.sum(axis=0) >= MIN_LINES
    if learned.sum() < 2 * _AROUND_PX:
        raise DataError(
            "no column shows metal on enough lines: check that strip runs under the light, and "
            "camera.strip_edges"
        )
    dead = _dead(np.where(learned, response * np.median(level), usual), spread, learned)
    dead = _refuse_wide(dead if dark is None else dead | dark.dead)
    good = np.flatnonzero(learned & ~dead)
    middle = float(np.median(response[good]))
    gain = np.interp(np.arange(width), good, middle / response[good]).astype(np.float32)
    _refuse_extreme(gain)
    return FlatField(
        origin=origin,
        level_grey=float(np.median(level)) * middle,
        offset=offset,
        gain=gain,
        learned=learned & ~dead,
        dead=dead,
    )


def _need(lines: int) -> None:
    if lines < MIN_LINES:
        raise DataError(
            f"{lines} usable lines are too few to learn from: it takes {MIN_LINES}, of which each "
            f"stands for {STEP_LINES} lines that the camera must deliver"
        )


def _inside(edges: Edges, width: int) -> NDArray[np.bool_]:
    left = np.where(edges[:, 0] > 0, edges[:, 0] + _GUARD_PX, 0)
    right = np.where(edges[:, 1] < width, edges[:, 1] - _GUARD_PX, width)
    column = np.arange(width)
    return np.asarray((column >= left[:, None]) & (column < right[:, None]))


def _median(values: Columns) -> float:
    return float(np.median(values)) if values.size else 0.0


def _responses(
    lines: Pixels, inside: NDArray[np.bool_], level: Columns, offset: Columns
) -> tuple[Columns, Columns, Columns]:
    """Return for each column its response, its usual grey, and the spread of its greys."""
    width = lines.shape[1]
    response, usual, spread = (np.zeros(width, np.float32) for _ in range(3))
    for first in range(0, width, _COLUMNS_AT_ONCE):
        part = slice(first, min(first + _COLUMNS_AT_ONCE, width))
        grey = lines[:, part] - offset[part]
        ratio = np.where(inside[:, part], grey / level[:, None], np.float32(np.inf))
        ratio.sort(axis=0)
        count = inside[:, part].sum(axis=0)
        column = np.arange(len(count))
        below = ratio[np.maximum(count - 1, 0) // 2, column]
        above = ratio[np.minimum(count // 2, len(lines) - 1), column]
        middle = np.where(count > 0, (below + above) / 2, 0)
        for _ in range(2):  # the first mean may still lean towards a large defect
            near = np.abs(ratio - middle) <= _NEAR_SHARE * middle
            middle = np.where(near, ratio, 0).sum(axis=0) / np.maximum(near.sum(axis=0), 1)
        response[part] = middle
        low, usual[part], high = np.quantile(grey, (0.05, 0.5, 0.95), axis=0)
        spread[part] = high - low
    return response, usual, spread


def _dead(usual: Columns, spread: Columns, learned: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return columns far from those around them, or still where those around them move."""
    around = _around(usual)
    far = np.abs(usual - around) > _FAR_SHARE * around + _FAR_GREY
    still = learned & (spread == 0) & (_around(spread) >= _MOVING_GREY)
    return np.asarray(far | still)


def _around(values: Columns) -> Columns:
    padded = np.pad(values, _AROUND_PX, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * _AROUND_PX + 1)
    return np.median(windows, axis=1).astype(np.float32)


def _refuse_wide(dead: NDArray[np.bool_]) -> NDArray[np.bool_]:
    wide = [(a, b) for a, b in column_ranges(dead) if b - a >= _DEAD_SIDE_BY_SIDE]
    if wide:
        first, last = wide[0]
        raise DataError(
            f"columns {first} to {last} do not follow the light: {last - first + 1} dead columns "
            f"side by side are too many to fill in. Clean the lens, or repair the camera"
        )
    return dead


def _refuse_extreme(gain: Columns) -> None:
    low, high = GAIN_RANGE
    beyond = (gain < low) | (gain > high)
    if beyond.any():
        worst = float(gain[np.argmax(np.abs(np.log(gain)))])
        raise DataError(
            f"columns {named_columns(beyond)} would need a gain up to {worst:.2g}; from {low:g} to "
            f"{high:g} is possible. Clean the lens and even out the light; if the strip does not "
            'fill the view, set camera.strip_edges = "detect"'
        )

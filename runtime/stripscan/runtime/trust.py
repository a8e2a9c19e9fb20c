"""Lines that show no metal: dark, blown out, constant, or a copy of lines that came before.

A camera that lost its signal often goes on delivering. What such lines cover is unknown, never
clean.
"""

from collections import deque
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.block import Block, LineRange
from stripscan.contract.coverage import CoverageStatus
from stripscan.runtime.bands import Span
from stripscan.runtime.columns import DeadColumns
from stripscan.runtime.encoder import Placed
from stripscan.runtime.grey import BLOWN_GREY, DARK_GREY

DARK = "dark image"
"""Why lines without light are unknown."""

NO_SIGNAL = frozenset({DARK, "constant image", "repeated image", "repeated lines"})
"""What may be said of lines without light."""

_SUSPECT_SHARE = 0.99
_STEP_PX = 8
_RECENT_BLOCKS = 8
_REPEATED_LINES = 4


class BlockTrust:
    """Tells for each block which of its lines cannot be trusted, and why.

    The noise of a sensor never gives two lines that are alike: a block whose every eighth line was
    in one of the last eight blocks is a copy, and so are four and more lines that are each like the
    one above. Lines are judged one by one, so it does not depend on how the camera cuts its blocks;
    of lines that repeat themselves up to three may pass at the end of a block.

    Args:
        mm_per_px: Pitch of the pixels across the strip in mm.
    """

    def __init__(self, *, mm_per_px: float) -> None:
        self._columns = DeadColumns(mm_per_px=mm_per_px)
        self._recent: deque[tuple[tuple[int, ...], bytes]] = deque(maxlen=_RECENT_BLOCKS)
        self._above: NDArray[np.uint8] | None = None
        self._alike = 0  # lines at the end that are like the one above

    @property
    def dead_columns(self) -> str:
        """The columns that were dead at any time, like ``"40-43, 77"``."""
        return self._columns.known

    def spans(self, block: Block) -> tuple[Span, ...]:
        """Return what cannot be trusted; where spans overlap, the later one says more.

        Args:
            block: The next block of the same camera.
        """
        pixels = block.pixels
        rows = pixels[::_STEP_PX]
        sparse = np.ascontiguousarray(pixels[:, ::_STEP_PX])
        self._columns.push(rows, lines=len(pixels), camera=block.camera)
        found: list[Span] = []
        if self._columns.wide:
            whole = Span(lines=block.lines, status=CoverageStatus.DEGRADED, reason="dead columns")
            found.append(whole)
        if self._repeats(rows, pixels.shape):
            found.append(_unknown(block.lines, "repeated image"))
        found += _of_rows(self._frozen(pixels, sparse), block, "repeated lines")
        if sparse.min() == sparse.max() and pixels.min() == pixels.max():
            found.append(_unknown(block.lines, "constant image"))
        found += _of_rows(_suspect(sparse >= BLOWN_GREY), block, "overexposed image")
        found += _of_rows(_suspect(sparse < DARK_GREY), block, DARK)
        return tuple(found)

    def spans_of(self, placed: Placed) -> tuple[Span, ...]:
        """Return what cannot be trusted, or is not where it was expected.

        Args:
            placed: The next lines of the same camera.
        """
        if placed.status is CoverageStatus.UNKNOWN:  # its picture may be made up
            return placed.spans
        return (*self.spans(placed.block), *placed.spans)

    def _repeats(self, rows: NDArray[np.uint8], shape: tuple[int, ...]) -> bool:
        seen = (shape, rows.tobytes())
        repeats = seen in self._recent
        self._recent.append(seen)
        return repeats

    def _frozen(self, pixels: NDArray[np.uint8], sparse: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return bool ``[lines]``: which lines are of a stretch of copies of the line above."""
        alike = np.zeros(len(pixels), np.bool_)
        alike[1:] = (sparse[1:] == sparse[:-1]).all(axis=1)
        maybe = np.flatnonzero(alike)
        alike[maybe] = (pixels[maybe] == pixels[maybe - 1]).all(axis=1)
        alike[0] = self._above is not None and np.array_equal(pixels[0], self._above)
        self._above = pixels[-1].copy()
        before, self._alike = self._alike, 0
        for start, stop in _stretches(alike):
            length = stop - start + (before if start == 0 else 0)
            alike[start:stop] = length >= _REPEATED_LINES
            if stop == len(alike):
                self._alike = length
        return alike


def _suspect(pixels: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return bool ``[lines]``: which lines are suspect in nearly all of their pixels."""
    result: NDArray[np.bool_] = np.count_nonzero(pixels, axis=1) >= _SUSPECT_SHARE * pixels.shape[1]
    return result


def _of_rows(rows: NDArray[np.bool_], block: Block, reason: str) -> Iterator[Span]:
    first = block.first_line
    for start, stop in _stretches(rows):
        yield _unknown(LineRange(start=first + start, stop=first + stop), reason)


def _stretches(rows: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return where runs of true rows start and stop."""
    if not rows.any():
        return []
    edges = np.flatnonzero(np.diff(rows, prepend=False, append=False)).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def _unknown(lines: LineRange, reason: str) -> Span:
    return Span(lines=lines, status=CoverageStatus.UNKNOWN, reason=reason)

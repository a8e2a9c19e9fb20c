"""Where a line lies on the coil."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.block import Block

_MM_PER_M = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Segment:
    first_line: int
    along_m: float
    mm_per_line: float


class CoilAxis:
    """Maps lines to metres from the coil's head, piecewise by blocks.

    Lines are not equidistant: the pitch follows the encoder. Lines between blocks that were lost
    keep the pitch of the block before them.
    """

    def __init__(self) -> None:
        self._segments: list[_Segment] = []
        self._next_line = 0

    def add(self, block: Block) -> None:
        """Take in the position and the pitch of a block; lines that came before keep theirs."""
        first_line = max(block.first_line, self._next_line)
        if first_line >= block.lines.stop:
            return
        self._next_line = block.lines.stop
        along_m = block.along_m + (first_line - block.first_line) * block.mm_per_line / _MM_PER_M
        if self._segments:
            last = self._segments[-1]
            expected_m = self.along_m(first_line)
            if last.mm_per_line == block.mm_per_line and abs(expected_m - along_m) < 1e-6:
                return
        self._segments.append(
            _Segment(first_line=first_line, along_m=along_m, mm_per_line=block.mm_per_line)
        )

    def forget_before(self, line: int) -> None:
        """Drop what is only needed for lines before ``line``."""
        while len(self._segments) > 1 and self._segments[1].first_line <= line:
            del self._segments[0]

    def along_m(self, line: int) -> float:
        """Return the position of the start of a line, in m."""
        return float(self.along_many_m(np.asarray([line]))[0])

    def along_many_m(self, lines: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the positions of the starts of lines, in m."""
        if not self._segments:
            return np.zeros(len(lines))
        starts = np.asarray([segment.first_line for segment in self._segments])
        index = np.maximum(np.searchsorted(starts, lines, side="right") - 1, 0)
        along_m = np.asarray([segment.along_m for segment in self._segments])
        pitch_mm = np.asarray([segment.mm_per_line for segment in self._segments])
        result: NDArray[np.float64] = (
            along_m[index] + (lines - starts[index]) * pitch_mm[index] / _MM_PER_M
        )
        return result

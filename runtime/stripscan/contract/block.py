"""The block of lines that every source delivers."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class BlockStatus(StrEnum):
    """What the source knows about a block."""

    COMPLETE = "complete"
    PARTIAL = "partial"  # the strip stopped, or the coil ended, before the block was full
    LOST_LINES = "lost-lines"  # some lines are missing; ``Block.lost`` has their ranges


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class LineRange:
    """Lines ``start`` up to, not including, ``stop``, counted from the coil's head."""

    start: int
    stop: int

    @property
    def lines(self) -> int:
        """How many lines the range holds."""
        return self.stop - self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Consecutive lines of one camera.

    Attributes:
        pixels: uint8 ``[lines, width]``, 0–255, in travel direction, not to be written to.
        camera: Name of the camera in the station file.
        first_line: Number of the first line, 64 bit, monotonic over the coil.
        along_m: Position of the first line from the coil's head in m, from the encoder.
        mm_per_line: Distance that the strip moved from line to line, in mm.
        host_ns: ``time.monotonic_ns()`` of the moment when the last line was in memory.
        encoder_count: Encoder count at the first line, where there is an encoder.
        camera_ns: The camera's own timestamp in ns, where it has one.
        status: What the source knows of the block.
        lost: Ranges of lines in this block whose pixels are not measured.
        dropped_before: How many of the lines that are missing right before the first one were
            dropped because the machine was slower than the line.
    """

    pixels: NDArray[np.uint8]
    camera: str
    first_line: int
    along_m: float
    mm_per_line: float
    host_ns: int
    encoder_count: int | None = None
    camera_ns: int | None = None
    status: BlockStatus = BlockStatus.COMPLETE
    lost: tuple[LineRange, ...] = ()
    dropped_before: int = 0

    @property
    def lines(self) -> LineRange:
        """The lines that the block covers, lost ones included."""
        return LineRange(start=self.first_line, stop=self.first_line + self.pixels.shape[0])

"""From the counts of an encoder, which start again at 0, to places on the strip."""

import logging
from dataclasses import dataclass, replace

from stripscan.contract.block import Block
from stripscan.runtime.station_encoder import EncoderSection

logger = logging.getLogger(__name__)

_MM_PER_M = 1000.0
_NS_PER_S = 1e9
_LONGEST_GAP_S = 60.0  # what a strip may move unseen is on record line by line, so it has an end


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mark:
    count: int
    line: int
    at: float


class Counter:
    """Unrolls a counter. Places are in nominal lines from the coil's head.

    Args:
        setup: What the counts mean.
        mm_per_line: Nominal pitch of the lines in mm.
    """

    def __init__(self, setup: EncoderSection, *, mm_per_line: float) -> None:
        self._setup = setup
        self._mm_per_line = mm_per_line
        self._mark: _Mark | None = None
        self._missing_told = False

    def settle(self, block: Block, at: float) -> None:
        """Take the block's count to be that of a place."""
        if block.encoder_count is not None:
            self._mark = _Mark(count=block.encoder_count, line=block.first_line, at=at)

    def place(self, block: Block) -> float | None:
        """Return the place of the block's first line; None where it is not known.

        The counter is taken to have gone the way that is nearest to the expected one, so it may
        have started again at 0 any number of times.
        """
        count, mark = block.encoder_count, self._mark
        if count is None or mark is None:
            if not self._missing_told:
                self._missing_told = True
                logger.warning(
                    "a block came without the encoder's count: check the camera's chunk data",
                    extra={"camera": block.camera, "first_line": block.first_line},
                )
            return None
        around = 1 << self._setup.counter_bits
        expected = self.counts(block.first_line - mark.line)
        counted = (count - mark.count) * self._setup.direction
        counts = expected + (counted - expected + around // 2) % around - around // 2
        return mark.at + counts * self._setup.mm_per_count / self._mm_per_line

    def counts(self, lines: float) -> int:
        """Return how many counts lines are."""
        return round(lines * self._mm_per_line / self._setup.mm_per_count)

    def possible_lines(self, block: Block, following: Block) -> float:
        """Return how far a strip can move between the arrival of two blocks, in lines."""
        if block.camera_ns is not None and following.camera_ns is not None:
            passed_ns = following.camera_ns - block.camera_ns
        else:
            passed_ns = following.host_ns - block.host_ns
        passed_s = min(max(passed_ns / _NS_PER_S, 0.0), _LONGEST_GAP_S)
        return self._setup.max_speed_m_s * passed_s * _MM_PER_M / self._mm_per_line

    def without_head(self, block: Block, lines: int) -> Block:
        """Return a block without its first lines."""
        count = block.encoder_count
        if count is not None:
            count += self._setup.direction * self.counts(lines)
        return replace(
            block,
            pixels=block.pixels[lines:],
            first_line=block.first_line + lines,
            encoder_count=count,
        )

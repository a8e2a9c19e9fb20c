"""The lines of a source that was started again, numbered as if it had gone on."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from stripscan.contract.block import Block, BlockStatus, LineRange
from stripscan.runtime.acquisition import after_drops

_RATE_WINDOW_S = 1.0
_LOST_BLOCK_LINES = 4096
_FASTEST_HZ = 1e6


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Mark:
    """The last block, without its pixels."""

    lines: LineRange
    host_ns: int
    encoder_count: int | None


class ContinuedLines:
    """Gives blocks the numbers and the places of one coil, whatever their source began with.

    A source that was started again begins at line 0. What passed meanwhile is estimated: by the
    encoder where both sides of the gap have its count, or else by time and the rate of lines
    before. At least one block is called lost: what the source had begun never came.

    Args:
        camera: Name of the camera.
        width_px: Width of its blocks.
        mm_per_line: Nominal pitch in mm.
        line_rate_hz: Lines a second where the camera keeps them; else they are measured.
    """

    def __init__(
        self, *, camera: str, width_px: int, mm_per_line: float, line_rate_hz: float | None = None
    ) -> None:
        self._camera = camera
        self._width_px = width_px
        self._mm_per_line = mm_per_line
        self._rate_hz = line_rate_hz or 0.0
        self._rate_known = line_rate_hz is not None
        self._base, self._base_m = 0, 0.0  # where line 0 of the source is
        self._next, self._next_m = 0, 0.0
        self._last: _Mark | None = None
        self._window: tuple[int, int] | None = None  # line and time in ns where it begins
        self._counts_per_line = 0.0
        self.lost_lines = 0

    def placed(self, block: Block) -> Block:
        """Return the source's next block with its place on the coil."""
        if self._base:
            block = dataclasses.replace(
                block,
                first_line=block.first_line + self._base,
                along_m=block.along_m + self._base_m,
                lost=tuple(
                    LineRange(start=hole.start + self._base, stop=hole.stop + self._base)
                    for hole in block.lost
                ),
            )
        block = after_drops(block, self._next)
        self._measure(block)
        self._next = block.lines.stop
        self._next_m = block.along_m + block.lines.lines * block.mm_per_line / 1000
        return block

    def resumed(self, block: Block, *, produced: int) -> Iterator[Block]:
        """Yield the lost lines before a source that was started again, and begin anew with it.

        Args:
            block: The first block of it that is there, as the source numbered it.
            produced: Lines that the source before had, delivered or not.
        """
        lost = max(self._undelivered(produced), self._passed(block))
        if self._last is not None:
            lost = max(lost, self._last.lines.lines)
        yield from self._lost(lost, block.host_ns)
        self._base, self._base_m = self._next, self._next_m
        self._last = self._window = None

    def rest(self, *, produced: int, host_ns: int | None) -> Iterator[Block]:
        """Yield the lost lines after a source that was not started again.

        Args:
            produced: Lines that it had, delivered or not.
            host_ns: Until when the strip has passed; None where there is no strip without it.
        """
        lost = self._undelivered(produced)
        if host_ns is not None and self._last is not None:
            lost = max(lost, int(self._rate_hz * (host_ns - self._last.host_ns) / 1e9))
        yield from self._lost(lost, host_ns or (self._last.host_ns if self._last else 0))

    def _undelivered(self, produced: int) -> int:
        return max(self._base + produced - self._next, 0)

    def _passed(self, block: Block) -> int:
        """Return how many lines passed before line 0 of the source that delivered the block."""
        last = self._last
        if last is None:
            return 0
        passed_s = (block.host_ns - last.host_ns) / 1e9
        if last.encoder_count is not None and block.encoder_count is not None:
            counts = block.encoder_count - last.encoder_count
            lines = round(counts / self._counts_per_line) if self._counts_per_line else 0
            if 0 < lines < _FASTEST_HZ * passed_s:  # else the camera has lost its count as well
                return lines - last.lines.lines - block.first_line
        return round(self._rate_hz * passed_s) - block.lines.stop

    def _lost(self, lines: int, host_ns: int) -> Iterator[Block]:
        self.lost_lines += lines
        for rest in range(lines, 0, -_LOST_BLOCK_LINES):
            part = min(rest, _LOST_BLOCK_LINES)
            hole = LineRange(start=self._next, stop=self._next + part)
            along_m = self._next_m
            self._next = hole.stop
            self._next_m += part * self._mm_per_line / 1000
            yield Block(
                pixels=np.broadcast_to(np.uint8(0), (part, self._width_px)),
                camera=self._camera,
                first_line=hole.start,
                along_m=along_m,
                mm_per_line=self._mm_per_line,
                host_ns=host_ns,
                status=BlockStatus.LOST_LINES,
                lost=(hole,),
            )

    def _measure(self, block: Block) -> None:
        """Measure lines a second and counts a line; a policy may have dropped lines between."""
        last, lines = self._last, block.lines
        self._last = _Mark(lines=lines, host_ns=block.host_ns, encoder_count=block.encoder_count)
        if last is None or self._window is None:
            self._window = (lines.stop, block.host_ns)
            return
        if last.encoder_count is not None and block.encoder_count is not None:
            counts = block.encoder_count - last.encoder_count
            self._counts_per_line = counts / (lines.start - last.lines.start)
        line, start_ns = self._window
        passed_s = (block.host_ns - start_ns) / 1e9
        if passed_s > 0 and not self._rate_known:
            self._rate_hz = (lines.stop - line) / passed_s
        if passed_s >= _RATE_WINDOW_S:
            self._rate_hz = (lines.stop - line) / passed_s
            self._rate_known, self._window = True, (lines.stop, block.host_ns)

"""Blocks of any height become bands of the coil's own grid.

Band ``k`` keeps the lines from ``k * core`` on and sees ``halo`` lines more on both sides. As the
grid hangs on line 0 of the coil, a mask does not depend on how the camera cut its blocks.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.block import Block, LineRange
from stripscan.contract.coverage import CoverageStatus
from stripscan.contract.tiling import TileGrid

TOO_SLOW = "the machine was slower than the line: oldest blocks dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Consecutive lines with one state: of one camera of several, or of all if none is named."""

    lines: LineRange
    status: CoverageStatus
    reason: str = ""
    camera: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """One row of tiles.

    Attributes:
        core: The lines that are kept; fewer than the grid's core at the end of the coil.
        pixels: uint8 ``[tile_px, width]``; row ``halo_px`` is the first line of the core. Before
            the head and behind the tail the metal is mirrored.
        spans: What is known of the core's lines, in order, without a gap.
        host_ns: ``time.monotonic_ns()`` when the last line that the band needed was in memory.
    """

    core: LineRange
    pixels: NDArray[np.uint8]
    spans: tuple[Span, ...]
    host_ns: int


class BandBuilder:
    """Collects lines and cuts bands.

    Args:
        grid: The grid of tiles.
    """

    def __init__(self, grid: TileGrid) -> None:
        self._grid = grid
        self._pixels = np.empty((0, grid.width_px), np.uint8)
        self._first = 0  # line of the first row of _pixels
        self._next_core = 0
        self._last: NDArray[np.uint8] | None = None  # the last measured line, [1, width]
        self._spans: list[Span] = []
        self._host_ns = 0

    @property
    def next_line(self) -> int:
        """The line that is expected next."""
        return self._first + self._pixels.shape[0]

    def push(self, block: Block, *, spans: Iterable[Span] = ()) -> Iterator[Band]:
        """Take in a block and yield the bands that it completes.

        Lines before ``next_line`` were seen already and are ignored. Lines that were skipped are
        dropped metal. What was not measured is marked, and filled with the last line that was, so
        that the model sees no border where inspected metal begins.

        Args:
            block: The next block.
            spans: Lines of the block that are not simply inspected. Where they overlap, unknown
                beats degraded, and a later one an earlier one; lost lines beat them all.
        """
        if block.first_line > self.next_line:
            yield from self._skip(block)
        fresh = block.pixels[max(self.next_line - block.first_line, 0) :]
        if not fresh.shape[0]:
            return
        start = self.next_line
        known = _known(block, spans)[-len(fresh) :]
        self._append(self._filled(fresh, known), block.host_ns)
        for offset, stop, span in _runs(known):
            self._mark(start + offset, start + stop, span.status, span.reason)
        yield from self._cut()

    def flush(self) -> Iterator[Band]:
        """Yield what is left at the end of the coil."""
        yield from self._cut()
        halo, core = self._grid.halo_px, self._grid.core_px
        while self._next_core < self.next_line:
            stop = min(self._next_core + core, self.next_line)
            yield self._band(LineRange(start=self._next_core, stop=stop))
            self._next_core = stop
            self._forget(self._next_core - halo)

    def _skip(self, block: Block) -> Iterator[Band]:
        line = block.pixels[:1] if self._last is None else self._last
        while (start := self.next_line) < block.first_line:
            stop = min(block.first_line, start + self._grid.core_px)
            too_slow = min(max(block.first_line - block.dropped_before, start), stop)
            self._append(np.repeat(line, stop - start, axis=0), block.host_ns)
            self._mark(start, too_slow, CoverageStatus.DROPPED, "lost lines")
            self._mark(too_slow, stop, CoverageStatus.DROPPED, TOO_SLOW)
            yield from self._cut()

    def _filled(self, fresh: NDArray[np.uint8], known: list[Span]) -> NDArray[np.uint8]:
        """Return the lines with the last measured one in place of each that was not measured."""
        measured = np.asarray([span.status is not CoverageStatus.UNKNOWN for span in known])
        rows = np.flatnonzero(measured)
        before = fresh[rows[:1]] if self._last is None else self._last
        if len(rows):
            self._last = fresh[rows[-1:]]
        if len(rows) == len(fresh) or not len(before):
            return fresh
        lines = np.concatenate([before, fresh[rows]])
        filled: NDArray[np.uint8] = lines[np.cumsum(measured)]
        return filled

    def _append(self, pixels: NDArray[np.uint8], host_ns: int) -> None:
        self._pixels = np.concatenate([self._pixels, pixels])
        self._host_ns = host_ns

    def _mark(self, start: int, stop: int, status: CoverageStatus, reason: str) -> None:
        if start >= stop:
            return
        last = self._spans[-1] if self._spans else None
        if last and (last.status, last.reason) == (status, reason):
            start = self._spans.pop().lines.start
        self._spans.append(
            Span(lines=LineRange(start=start, stop=stop), status=status, reason=reason)
        )

    def _cut(self) -> Iterator[Band]:
        halo, core = self._grid.halo_px, self._grid.core_px
        while self._next_core + core + halo <= self.next_line:
            yield self._band(LineRange(start=self._next_core, stop=self._next_core + core))
            self._next_core += core
            self._forget(self._next_core - halo)

    def _band(self, core: LineRange) -> Band:
        top = core.start - self._grid.halo_px
        bottom = top + self._grid.tile_px
        before = max(self._first - top, 0)
        after = max(bottom - self.next_line, 0)
        kept = self._pixels[max(top - self._first, 0) : bottom - self._first]
        pixels = np.pad(kept, ((before, after), (0, 0)), mode="reflect") if before + after else kept
        return Band(core=core, pixels=pixels, spans=tuple(self._clip(core)), host_ns=self._host_ns)

    def _clip(self, core: LineRange) -> Iterator[Span]:
        for span in self._spans:
            start, stop = max(span.lines.start, core.start), min(span.lines.stop, core.stop)
            if start < stop:
                yield Span(
                    lines=LineRange(start=start, stop=stop), status=span.status, reason=span.reason
                )

    def _forget(self, line: int) -> None:
        if line > self._first:
            self._pixels = self._pixels[line - self._first :]
            self._first = line
        self._spans = [span for span in self._spans if span.lines.stop > self._next_core]


def _known(block: Block, spans: Iterable[Span]) -> list[Span]:
    """Return what is known of each line of a block."""
    lost = (
        Span(lines=hole, status=CoverageStatus.UNKNOWN, reason="lost lines") for hole in block.lost
    )
    weakest_first = sorted(spans, key=lambda span: span.status is CoverageStatus.UNKNOWN)
    known = [Span(lines=block.lines, status=CoverageStatus.INSPECTED)] * block.lines.lines
    for span in (*weakest_first, *lost):
        start = max(span.lines.start - block.first_line, 0)
        stop = min(span.lines.stop - block.first_line, len(known))
        known[start:stop] = [span] * max(stop - start, 0)
    return known


def _runs(known: list[Span]) -> Iterator[tuple[int, int, Span]]:
    """Yield first line, line after the last, and state of each run of lines with one state."""
    start = 0
    for span, lines in groupby(known):
        stop = start + sum(1 for _ in lines)
        yield start, stop, span
        start = stop

"""One of several cameras: where its lines lie among those of the others, and what it missed."""

from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.block import Block, LineRange
from stripscan.contract.coverage import CoverageStatus
from stripscan.runtime.bands import Span
from stripscan.runtime.panorama.counts import line_at
from stripscan.runtime.panorama.geometry import Pixels, Share
from stripscan.runtime.trust import DARK

LOST = "lost lines"
SILENT = "no lines came from the camera"
NOT_YET = "before the camera's first line"
OVER = "after the camera's last line"

_SHORTEST_PATIENCE_S = 1.0
_FIRST_PATIENCE_S = 3.0
LONGEST_PATIENCE_S = 10.0
"""How long nobody waits for a camera, however long its blocks take."""

_BLOCKS_WAITED = 2
_MARKS = 64


@dataclass(slots=True, kw_only=True, eq=False)
class Lane:
    """One camera among several.

    All cameras are triggered by one encoder. A *trigger* is what numbers its pulses: the camera's
    own line plus ``lead``. The metal under a camera that is mounted ``offset_lines`` farther down
    the line has passed the first one so many triggers before, so that its *line* of the picture
    is the trigger less the offset.

    Attributes:
        share: Which columns it owns, in the picture of its surface.
        columns: The same, in the blocks of all surfaces.
        offset_lines: How much later it sees the same metal than the first, in lines.
        lead: Trigger of its line 0; None while that is not known.
        arrived: Lines up to here are written, or given up.
        last: uint8 ``[columns]``, its last line that was measured.
        measured_from: The first line that was measured.
        spans: What is known of lines that were not given out yet, where they were not inspected.
        dark: Lines, first and after the last, on which it saw no light, and what it saw.
        ended: Whether nothing comes any more.
        silent: Whether nobody waits for it.
        astray: Whether lines were lost by its own count, which must be looked at again.
    """

    share: Share
    columns: slice
    offset_lines: int
    lead: int | None = None
    arrived: int = 0
    last: Pixels | None = None
    measured_from: int | None = None
    spans: list[Span] = field(default_factory=list)
    dark: list[tuple[int, int, Pixels]] = field(default_factory=list)
    ended: bool = False
    silent: bool = False
    astray: bool = False
    waited_s: float = 0.0
    _times: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=_MARKS))
    _counts: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=_MARKS))

    @property
    def camera(self) -> str:
        """Name of the camera."""
        return self.share.camera

    @property
    def awaited(self) -> bool:
        """Whether the others wait for it."""
        return not (self.ended or self.silent)

    @property
    def shift(self) -> int:
        """Line of the picture in which its line 0 lies; its place must be known."""
        return (self.lead or 0) - self.offset_lines

    @property
    def patience_s(self) -> float:
        """How long to wait for it: longer where its blocks take longer."""
        if len(self._times) < 2:
            return _FIRST_PATIENCE_S
        block_ns = self._times[-1][1] - self._times[-2][1]
        wished_s = _SHORTEST_PATIENCE_S + _BLOCKS_WAITED * block_ns / 1e9
        return min(wished_s, LONGEST_PATIENCE_S)

    @property
    def heard_ns(self) -> int:
        """When its last block came, ``time.monotonic_ns()``; 0 before the first."""
        return self._times[-1][1] if self._times else 0

    def note(self, block: Block) -> None:
        """Take note of when a block came, and of its count."""
        lead = self.lead or 0
        self._times.append((block.lines.stop + lead, block.host_ns))
        if block.encoder_count is not None:
            self._counts.append((block.first_line + lead, block.encoder_count))

    def seen_ns(self, line: int) -> int:
        """Return when a line was in memory, ``time.monotonic_ns()``; 0 if that is not known."""
        trigger = line + self.offset_lines
        return next((at_ns for stop, at_ns in self._times if stop > trigger), 0)

    def trigger_at_count(self, count: int) -> int | None:
        """Return the trigger with an encoder count; None where the counts do not tell."""
        return line_at(self._counts, count)

    def trigger_at_ns(self, at_ns: int) -> int | None:
        """Return the trigger of a moment; None if it is too long ago, or too long since."""
        steps = pairwise(self._times)
        step = next((step for step in reversed(list(steps)) if step[0][1] <= at_ns), None)
        if step is None:
            return None
        (before, first_ns), (trigger, last_ns) = step
        way_ns = last_ns - first_ns
        if way_ns <= 0 or not -way_ns <= at_ns - last_ns <= _BLOCKS_WAITED * way_ns:
            return None
        return trigger + round((at_ns - last_ns) * (trigger - before) / way_ns)

    def miss(self, start: int, stop: int, status: CoverageStatus, reason: str) -> None:
        """Take note of lines of the picture that it did not see as it should."""
        if start < stop:
            lines = LineRange(start=start, stop=stop)
            self.spans.append(Span(lines=lines, status=status, reason=reason, camera=self.camera))

    def missed(self, start: int, stop: int) -> list[Span]:
        """Return what is known of some lines, and forget what lies before their end."""
        told = [
            Span(lines=lines, status=span.status, reason=span.reason, camera=span.camera)
            for span in self.spans
            if (lines := _within(span.lines, start, stop)).lines > 0
        ]
        self.spans = [span for span in self.spans if span.lines.stop > stop]
        return told

    def keep_dark(self, block: Block, spans: tuple[Span, ...], *, first: int) -> None:
        """Keep what it sees on lines without light: the strip may not reach it.

        Args:
            block: A block whose place is known.
            spans: What cannot be trusted of it.
            first: The first line of the block that counts, as the picture counts.
        """
        dark = np.zeros(block.lines.lines, np.bool_)
        for span in spans:
            if span.reason == DARK:
                at = max(span.lines.start - block.first_line, 0)
                dark[at : max(span.lines.stop - block.first_line, 0)] = True
        for hole in block.lost:
            dark[hole.start - block.first_line : hole.stop - block.first_line] = False
        dark[: first - block.first_line - self.shift] = False
        for start, stop in np.flatnonzero(np.diff(dark, prepend=False, append=False)).reshape(
            -1, 2
        ):
            seen = np.empty((stop - start, self.share.stop - self.share.start), np.uint8)
            self.share.write(block.pixels[start:stop], seen)
            shift = block.first_line + self.shift
            self.dark.append((int(start) + shift, int(stop) + shift, seen))

    def dark_lines(self, start: int, stop: int) -> Pixels | None:
        """Return what it sees on lines that are all without light; None if they are not."""
        self.dark = [each for each in self.dark if each[1] > start]
        for first, last, seen in self.dark:
            if first <= start and stop <= last:
                return seen[start - first : stop - first]
        return None

    def unmeasured(self, block: Block, spans: tuple[Span, ...]) -> NDArray[np.bool_]:
        """Return bool ``[lines]``: which lines of a block have no pixels to be trusted."""
        unknown = np.zeros(block.lines.lines, np.bool_)
        holes = [span.lines for span in spans if span.status is CoverageStatus.UNKNOWN]
        for hole in (*holes, *block.lost):
            first = max(hole.start - block.first_line, 0)
            unknown[first : max(hole.stop - block.first_line, 0)] = True
        return unknown


def _within(lines: LineRange, start: int, stop: int) -> LineRange:
    return LineRange(start=max(lines.start, start), stop=min(lines.stop, stop))

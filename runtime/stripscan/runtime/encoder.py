"""Where the strip is, from the counts of an encoder: its pitch, its stops and its way back.

A block carries the count of its first line, so its own way is known once the next block is there:
one block waits for it. The furthest point that the strip has reached divides new metal from metal
that was seen; lines of the latter are left out, and what is left is numbered anew.
"""

import logging
import math
from dataclasses import dataclass, replace

import numpy as np

from stripscan.contract.block import Block, BlockStatus, LineRange
from stripscan.contract.coverage import CoverageStatus
from stripscan.runtime.bands import Span
from stripscan.runtime.counter import Counter
from stripscan.runtime.station_encoder import EncoderSection

logger = logging.getLogger(__name__)

_MM_PER_M = 1000.0
_SLACK_LINES = 0.75
_SLACK_SHARE = 0.001
_TURN_LINES = 2.5  # to the turning point and back, where a stop ends a block there
_BACK_LINES = 1.5
_FAST_PITCH = 1.5
_NEW_LINE = 0.5

MOVED_BACK = "the strip moved back and forth"
MISSED_LINES = "the strip moved further than its lines tell"
FAST_STRIP = "the strip is too fast for the camera's lines"
NOT_FOLLOWED = "the encoder does not follow the strip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """New lines of the strip where they belong.

    Attributes:
        block: The lines, numbered without those that were left out.
        status: How far they can be trusted.
        reason: Why not fully; empty where they can.
    """

    block: Block
    status: CoverageStatus = CoverageStatus.INSPECTED
    reason: str = ""

    @property
    def spans(self) -> tuple[Span, ...]:
        """The lines with their status, unless they are simply inspected."""
        if self.status is CoverageStatus.INSPECTED:
            return ()
        return (Span(lines=self.block.lines, status=self.status, reason=self.reason),)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Take:
    """Which rows of a block are new strip.

    Attributes:
        rows: The rows.
        at: Place of the first in nominal lines from the head.
        pitch: Way from row to row of the block, in nominal lines.
    """

    rows: slice
    at: float
    pitch: float
    status: CoverageStatus = CoverageStatus.INSPECTED
    reason: str = ""


class Encoder:
    """Gives the blocks of one camera their place on the strip, from the encoder's counts.

    Where the encoder triggers the lines, each stands for one nominal pitch, forward or back. A
    block whose counts tell of less way than its lines turned inside; what is new of it is then
    degraded if the block returns to the furthest point, for its last lines are those, and else
    unknown. Of a camera that runs free the way between two counts is shared out evenly, and lines
    that are nearer than half a pitch to the one before are left out.

    Args:
        setup: What the counts mean.
        mm_per_line: Nominal pitch of the lines in mm.
    """

    def __init__(self, setup: EncoderSection, *, mm_per_line: float) -> None:
        self._setup = setup
        self._mm_per_line = mm_per_line
        self._counter = Counter(setup, mm_per_line=mm_per_line)
        self._farthest_back = setup.max_reversal_m * _MM_PER_M / mm_per_line
        self._held: Block | None = None
        self._at = 0.0  # place of the held block's first line
        self._reached = 0.0
        self._line = 0  # number of the next new line
        self._pitch = 1.0
        self._back = False
        self._steady = True  # no turn can be hidden before the held block
        self._unexplained = 0  # lines left out since the last new one
        self._stands = False
        self.reversals = 0
        self.reseen_lines = 0
        self.faults = 0

    def place(self, block: Block) -> tuple[Placed, ...]:
        """Return what the count of this block tells of the block before.

        Args:
            block: The next block; lines that came before are ignored.
        """
        if self._held is None:
            self._start(block)
            return ()
        overlap = self._held.lines.stop - block.first_line
        if overlap >= block.lines.lines:
            return ()
        fresh = self._counter.without_head(block, overlap) if overlap > 0 else block
        return self._settle(self._held, fresh)

    def flush(self) -> tuple[Placed, ...]:
        """Return the last block; the coil ends, and its pitch is taken to be that before."""
        held, self._held = self._held, None
        if held is None:
            return ()
        if self._free and self._pitch <= 0:
            return (self._unseen(held, 1),)  # it may have begun to move
        take = self._forward(held, self._pitch if self._free else 1.0)
        if self._at < self._reached - _BACK_LINES:
            take = replace(take, status=CoverageStatus.DEGRADED, reason=MOVED_BACK)
        return self._kept(held, take)

    def counts(self) -> dict[str, int]:
        """Return how often the strip moved back, which lines that left out, and all faults."""
        return {
            "reversals": self.reversals,
            "reseen_lines": self.reseen_lines,
            "encoder_faults": self.faults,
        }

    def _start(self, block: Block) -> None:
        self._held, self._line = block, block.first_line
        self._at = self._reached = float(block.first_line)
        self._counter.settle(block, self._at)

    def _settle(self, held: Block, following: Block) -> tuple[Placed, ...]:
        lines = following.first_line - held.first_line
        take, move = self._taken(held, following, lines)
        end = self._at + move
        placed = self._kept(held, take)
        self._count_reversals(end, folded=take.reason == MOVED_BACK, new=bool(placed))
        lost = round(end - self._reached)
        if lost > 0:
            self._line += lost
            self._reached = end
        self._pitch = move / lines
        straight_back = move <= _TURN_LINES - lines and held.status is BlockStatus.PARTIAL
        self._steady = straight_back or take.status is CoverageStatus.INSPECTED
        fault, end = self._contradiction(held, end)
        self._held, self._at = following, end
        self._counter.settle(following, end)
        return (*placed, *fault)

    def _taken(self, held: Block, following: Block, lines: int) -> tuple[_Take, float]:
        """Return which rows of the held block are new, and the way to the next block."""
        place = self._counter.place(following)
        usual = lines * (self._pitch if self._free and self._pitch > 0 else 1.0)
        if place is None:
            return self._forward(held, usual / lines), usual
        moved = place - self._at
        possible = _FAST_PITCH * lines + self._counter.possible_lines(held, following)
        if abs(moved) > possible:
            jump = self._counter.counts(moved - usual)
            self._fault("the encoder jumped", held, counts=jump)
            take = self._forward(held, usual / lines)
            reason = f"encoder jumped by {jump} counts"
            return replace(take, status=CoverageStatus.UNKNOWN, reason=reason), usual
        taken = self._of_free if self._free else self._of_triggered
        return taken(held, lines, moved), moved

    @property
    def _free(self) -> bool:
        return not self._setup.triggers_lines

    def _of_free(self, held: Block, lines: int, moved: float) -> _Take:
        take = self._forward(held, moved / lines)
        if moved / lines > _FAST_PITCH:
            take = replace(take, status=CoverageStatus.DEGRADED, reason=FAST_STRIP)
        return take

    def _of_triggered(self, held: Block, lines: int, moved: float) -> _Take:
        short = lines - moved
        if abs(short) <= _SLACK_LINES + _SLACK_SHARE * lines:
            return self._forward(held, moved / lines)
        if short < 0:
            take = self._forward(held, 1.0)
            return replace(take, status=CoverageStatus.DEGRADED, reason=MISSED_LINES)
        stopped = held.status is BlockStatus.PARTIAL and self._steady and short <= _TURN_LINES
        if lines == 1 or (stopped and lines == held.lines.lines):
            return self._forward(held, 1.0)  # the strip turned after the last line
        return self._folded(held, lines, moved)

    def _forward(self, held: Block, pitch: float) -> _Take:
        """Return the rows beyond the furthest point, of a block without a turn."""
        rows = held.lines.lines
        if pitch <= 0:
            return _Take(rows=slice(rows, rows), at=self._at, pitch=1.0)
        new = self._reached - _NEW_LINE * min(pitch, 1.0)
        first = max(0, math.ceil((new - self._at) / pitch))
        step = max(1, math.ceil(_NEW_LINE / pitch))
        return _Take(rows=slice(first, rows, step), at=self._at + first * pitch, pitch=pitch)

    def _folded(self, held: Block, lines: int, moved: float) -> _Take:
        rows, end = held.lines.lines, self._at + moved
        new = max(0, min(rows, round(end - self._reached)))
        take = _Take(
            rows=slice(new),
            at=self._reached,
            pitch=1.0,
            status=CoverageStatus.UNKNOWN,
            reason=MOVED_BACK,
        )
        if self._at > self._reached - _NEW_LINE or lines > rows:
            return take
        last = slice(rows - new, rows)
        return replace(take, rows=last, at=end - new, status=CoverageStatus.DEGRADED)

    def _kept(self, held: Block, take: _Take) -> tuple[Placed, ...]:
        first, stop, step = take.rows.indices(held.lines.lines)
        pixels = held.pixels[first:stop:step]
        kept = pixels.shape[0]
        self.reseen_lines += held.lines.lines - kept
        if not kept:
            self._unexplained += held.lines.lines
            return ()
        self._unexplained, self._stands = 0, False
        block = replace(
            held,
            pixels=pixels,
            first_line=self._line,
            along_m=take.at * self._mm_per_line / _MM_PER_M,
            mm_per_line=take.pitch * step * self._mm_per_line,
            lost=self._lost(held, first=first, step=step, kept=kept),
        )
        self._line += kept
        self._reached = take.at + kept * step * take.pitch
        return (Placed(block=block, status=take.status, reason=take.reason),)

    def _lost(self, held: Block, *, first: int, step: int, kept: int) -> tuple[LineRange, ...]:
        """Return the lost lines among those that are kept, in their new numbers."""

        def row(line: int) -> int:
            return min(max(math.ceil((line - held.first_line - first) / step), 0), kept)

        holes = ((row(hole.start), row(hole.stop)) for hole in held.lost)
        return tuple(
            LineRange(start=self._line + start, stop=self._line + stop)
            for start, stop in holes
            if start < stop
        )

    def _count_reversals(self, end: float, *, folded: bool, new: bool) -> None:
        below = end < self._reached - _BACK_LINES
        if (below and new) or ((below or folded) and not self._back):
            self.reversals += 1
        self._back = below

    def _contradiction(self, held: Block, end: float) -> tuple[tuple[Placed, ...], float]:
        """Return the lines that no way back explains, as unknown, and where the next block is.

        An encoder that stands or counts the wrong way would otherwise hide new metal.
        """
        limit = self._farthest_back + _BACK_LINES
        depth = self._reached - end
        silent = self._unexplained > 2 * limit + held.lines.lines
        if depth <= limit and not silent:
            return (), end
        if self._free and depth <= limit:
            return self._reminder(held), end
        lines = round(depth) if self._free else self._unexplained
        self._fault("the encoder does not follow the strip", held, lines=self._unexplained)
        self.reseen_lines -= 0 if self._free else lines
        return (self._unseen(held, lines),), self._reached

    def _reminder(self, held: Block) -> tuple[Placed, ...]:
        """Return one unknown line for each stop: an encoder that is dead looks the same."""
        if self._stands:
            return ()
        self._stands = True
        logger.warning(
            "lines come and the encoder stands: has the strip stopped?",
            extra={"camera": held.camera, "first_line": held.first_line},
        )
        return (self._unseen(held, 1),)

    def _unseen(self, held: Block, lines: int) -> Placed:
        block = replace(
            held,
            pixels=np.broadcast_to(held.pixels[-1:], (lines, held.pixels.shape[1])),
            first_line=self._line,
            along_m=self._reached * self._mm_per_line / _MM_PER_M,
            mm_per_line=self._mm_per_line,
            lost=(),
        )
        self._line += lines
        self._reached += lines
        self._unexplained = 0
        return Placed(block=block, status=CoverageStatus.UNKNOWN, reason=NOT_FOLLOWED)

    def _fault(self, what: str, held: Block, **values: int) -> None:
        self.faults += 1
        if self.faults.bit_count() == 1:  # 1, 2, 4, 8 …: no flood of lines
            logger.warning(
                "%s: check its wheel, its cable, and [encoder] in the station file",
                what,
                extra={"camera": held.camera, "first_line": held.first_line, **values},
            )

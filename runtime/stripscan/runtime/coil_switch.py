"""Which line belongs to which coil, while the strip runs on.

A source counts its lines on and on. A coil's own lines begin at 0 at its head, so what passes is
cut where the coil changes and counted anew from there.
"""

import dataclasses
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from stripscan.contract.block import Block, BlockStatus, LineRange

PATIENCE_NS = 2_000_000_000
"""How long a change waits for the block in which it lies; then the strip stands still."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCoil:
    """What is known of a coil before it comes.

    Attributes:
        id: Its name.
        length_m: Planned length in m, where it was told.
        width_mm: Planned width in mm, where it was told.
    """

    id: str
    length_m: float | None = None
    width_mm: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeOrder:
    """That the strip under the camera is another coil from a moment on.

    Attributes:
        at_ns: The moment, ``time.monotonic_ns()``.
        coil: The coil that begins; None where one ends and none begins.
    """

    at_ns: int
    coil: PlannedCoil | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CoilChange:
    """Where the strip becomes another coil.

    Attributes:
        coil: The coil that begins; None where none does.
        line: Line of the source with which it begins.
        passed_lines: Lines from the head of what was there before up to here.
        passed_m: Their length in m.
    """

    coil: PlannedCoil | None
    line: int
    passed_lines: int
    passed_m: float


class CoilSwitch:
    """Cuts blocks of a running source at the lines where coils change.

    A line was under the camera at some moment between the blocks before it and its own; the lines
    that came in between are taken as evenly spread over it. So a change that was ordered while a
    block was filled cuts it at the line that passed then, to the speed's change within the block.
    """

    def __init__(self) -> None:
        self._orders: deque[ChangeOrder] = deque()
        self._next_line = 0
        self._next_m = 0.0
        self._head_line = 0
        self._head_m = 0.0
        self._host_ns: int | None = None  # when the last block was in memory

    @property
    def head_line(self) -> int:
        """Line of the source at which the parts that come begin to count."""
        return self._head_line

    @property
    def passed_lines(self) -> int:
        """Lines since the last change, in the beginning since line 0."""
        return self._next_line - self._head_line

    def order(self, order: ChangeOrder) -> None:
        """Take in a change; each is at the moment of the one before, or later.

        It must come before the first block that was in memory after its moment.
        """
        self._orders.append(order)

    def cut(self, block: Block) -> Iterator[Block | CoilChange]:
        """Yield the parts of a block and the changes between them, in the order of the strip.

        The parts count lines and metres from the last change, in the beginning from line 0. Lines
        that were passed on before are left out.

        Args:
            block: The next block of the source.
        """
        reach = _Reach(
            from_line=self._next_line, from_m=self._next_m, from_ns=self._host_ns, block=block
        )
        for order in self._due(block.host_ns):
            line = max(reach.line_at(order.at_ns), self._next_line)
            yield from self._lines(block, line)
            self._next_m = reach.along_m(line)
            yield self._change(order)
        if block.lines.stop > self._next_line:
            yield from self._lines(block, block.lines.stop)
            self._next_m = reach.along_m(block.lines.stop)
        self._host_ns = block.host_ns

    def rest(self, until_ns: int) -> Iterator[CoilChange]:
        """Yield the changes up to a moment, while the strip went no further than it was.

        Args:
            until_ns: The moment, ``time.monotonic_ns()``.
        """
        for order in self._due(until_ns):
            yield self._change(order)
        self._host_ns = until_ns

    def settle(self, now_ns: int) -> Iterator[CoilChange]:
        """Yield changes for which no block has come in time, at the line that is next.

        Args:
            now_ns: ``time.monotonic_ns()``; ``PATIENCE_NS`` before it no change is left.
        """
        for order in self._due(now_ns - PATIENCE_NS):
            yield self._change(order)

    def settle_all(self) -> Iterator[CoilChange]:
        """Yield all changes that are left, at the line that is next: no block comes any more."""
        while self._orders:
            yield self._change(self._orders.popleft())

    def _due(self, until_ns: int) -> Iterator[ChangeOrder]:
        while self._orders and self._orders[0].at_ns <= until_ns:
            yield self._orders.popleft()

    def _lines(self, block: Block, stop: int) -> Iterator[Block]:
        """Yield the lines of a block that are not given away yet, up to ``stop``, if any."""
        start = max(self._next_line, block.first_line)
        if start < stop:
            lines = LineRange(start=start, stop=stop)
            yield _part(block, lines, head_line=self._head_line, head_m=self._head_m)
        self._next_line = stop

    def _change(self, order: ChangeOrder) -> CoilChange:
        change = CoilChange(
            coil=order.coil,
            line=self._next_line,
            passed_lines=self.passed_lines,
            passed_m=self._next_m - self._head_m,
        )
        self._head_line, self._head_m = self._next_line, self._next_m
        return change


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reach:
    """From the end of one block to the end of the next; lines between them were lost."""

    from_line: int
    from_m: float
    from_ns: int | None
    block: Block

    def line_at(self, at_ns: int) -> int:
        """Return the line that passed at a moment."""
        lines = max(self.block.lines.stop - self.from_line, 0)
        if self.from_ns is None or self.block.host_ns <= self.from_ns:
            return self.from_line
        share_ns = min(max(at_ns, self.from_ns), self.block.host_ns) - self.from_ns
        return self.from_line + lines * share_ns // (self.block.host_ns - self.from_ns)

    def along_m(self, line: int) -> float:
        """Return where a line starts."""
        block = self.block
        if line >= block.first_line:
            return block.along_m + (line - block.first_line) * block.mm_per_line / 1000
        share = (line - self.from_line) / (block.first_line - self.from_line)
        return self.from_m + share * (block.along_m - self.from_m)


def _part(block: Block, lines: LineRange, *, head_line: int, head_m: float) -> Block:
    """Return some lines of a block, counted from the head of their coil."""
    whole = lines == block.lines
    if whole and not head_line and not head_m:
        return block
    before = lines.start - block.first_line
    lost = tuple(
        LineRange(start=start - head_line, stop=stop - head_line)
        for each in block.lost
        if (start := max(each.start, lines.start)) < (stop := min(each.stop, lines.stop))
    )
    status = block.status
    if not whole:
        status = BlockStatus.LOST_LINES if lost else BlockStatus.PARTIAL
    return dataclasses.replace(
        block,
        pixels=block.pixels[before : before + lines.lines],
        first_line=lines.start - head_line,
        along_m=block.along_m + before * block.mm_per_line / 1000 - head_m,
        encoder_count=None if before else block.encoder_count,  # it is that of the first line
        status=status,
        lost=lost,
    )

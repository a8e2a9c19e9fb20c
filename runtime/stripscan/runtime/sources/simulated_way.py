"""How a simulated strip passes the camera: forward, and a little back where it stops."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from stripscan.runtime.station_encoder import EncoderSection


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """The lines of one block.

    Attributes:
        first: The strip's first line among them.
        lines: How many there are.
        forward: Whether the strip moves forward.
    """

    first: int
    lines: int
    forward: bool = True

    @property
    def seen_first(self) -> int:
        """The strip's line that the camera sees first."""
        return self.first if self.forward else self.first + self.lines - 1


def stretches(
    total_lines: int, block_lines: int, *, reversals: int, reversal_lines: int
) -> Iterator[Stretch]:
    """Yield what the camera sees, from block to block; a stop ends a block.

    Args:
        total_lines: Lines of the strip.
        block_lines: Lines of a full block.
        reversals: How many times the strip stops, evenly over its length, and moves back.
        reversal_lines: How many lines it moves back, at most to the head.
    """
    start = 0
    for number in range(reversals):
        stop = total_lines * (number + 1) // (reversals + 1)
        yield from _forward(start, stop, block_lines)
        start = max(stop - reversal_lines, 0)
        for way in _forward(0, stop - start, block_lines):
            yield Stretch(first=stop - way.first - way.lines, lines=way.lines, forward=False)
    yield from _forward(start, total_lines, block_lines)


def _forward(start: int, stop: int, block_lines: int) -> Iterator[Stretch]:
    for first, after in pairwise([*range(start, stop, block_lines), stop]):
        yield Stretch(first=first, lines=after - first)


def count_at(line: int, *, total_lines: int, encoder: EncoderSection, mm_per_line: float) -> int:
    """Return the counter at a line of the strip; it starts again at 0 in the middle of the coil."""
    lines = line - total_lines // 2
    counts = round(lines * mm_per_line / encoder.mm_per_count)
    return encoder.direction * counts % (1 << encoder.counter_bits)

"""Encoder counts of blocks, read as a ruler along their lines."""

from collections.abc import Sequence
from itertools import pairwise

_COUNTER = 2**32
"""Counters of 32 bits begin again; wider ones do not get that far."""

Marks = Sequence[tuple[int, int]]
"""Lines and their counts, in the order of the lines, while the strip moves one way."""


def turned(count: int, since: int) -> int:
    """Return how far a counter has turned, forwards or back.

    Example:
        >>> turned(5, 2**32 - 5)
        10
    """
    return (count - since + _COUNTER // 2) % _COUNTER - _COUNTER // 2


def spans_count(marks: Marks, count: int) -> bool:
    """Return whether a count lies between the first and the last mark."""
    return bool(marks) and _share(marks[0][1], marks[-1][1], count) is not None


def line_at(marks: Marks, count: int) -> int | None:
    """Return the line with a count; None where the marks do not tell.

    Between two marks it is exact to the rounding of counts; beyond them all marks together tell
    how many counts a line has.
    """
    for (first, low), (last, high) in pairwise(marks):
        share = _share(low, high, count)
        if share is not None:
            return first + round(share * (last - first))
    if len(marks) < 2:
        return None
    (first, low), (last, high) = marks[0], marks[-1]
    way = turned(high, low)
    return last + round(turned(count, high) * (last - first) / way) if way else None


def _share(low: int, high: int, count: int) -> float | None:
    """Return where a count lies between two, 0–1; None where it does not."""
    way, done = turned(high, low), turned(count, low)
    if not way:
        return 0.0 if not done else None
    share = done / way
    return share if 0 <= share <= 1 else None

"""The prints of one mark, from its alarm on."""

import math
from collections import deque
from collections.abc import Sequence
from typing import Final

import numpy as np

from stripscan.runtime.roll_periods import place_mm
from stripscan.runtime.roll_trail import Print

OVER_TURNS: Final = 8
"""Turns without a print after which a repeat has stopped."""

_RECENT: Final = 16
_STEADY: Final = 3  # prints that the place across is the mean of: an edge may wander
_LOOSE: Final = 2.0  # once it is known that a roll prints, a print may be farther from its place


class RollSeries:
    """A repeat that goes on.

    The next place counts from the last print, at the mean period of the last ones: the period
    drifts where speed and elongation do.

    Args:
        number: Number of the repeat.
        mark: Its last print.
        prints: Turn and place along in mm of each print, from turn 0, ``mark`` included.
    """

    def __init__(self, *, number: int, mark: Print, prints: Sequence[tuple[int, float]]) -> None:
        self.number = number
        self.class_name = mark.class_name
        self.across_mm = mark.across_mm
        self.first_mm = prints[0][1]
        self.prints = len(prints)
        self._length_mm = mark.length_mm
        self._lane_mm = mark.lane_mm
        self._recent = deque(prints, maxlen=_RECENT)

    @property
    def last_mm(self) -> float:
        """Place of the last print in mm."""
        return self._recent[-1][1]

    @property
    def turns(self) -> int:
        """Turns from the first print to the last."""
        return self._recent[-1][0]

    @property
    def period_mm(self) -> float:
        """Mean distance from turn to turn in mm."""
        return (self.last_mm - self.first_mm) / self.turns

    @property
    def period_error_mm(self) -> float:
        """How wrong the period may be, in mm, as its two ends may be out of place."""
        return self._room_mm(self.period_mm, 1) / self.turns

    @property
    def _period_now_mm(self) -> float:
        (first_turn, first_mm), (last_turn, last_mm) = self._recent[0], self._recent[-1]
        return (last_mm - first_mm) / (last_turn - first_turn)

    def _room_mm(self, period_mm: float, turns: int) -> float:
        """Return how far a print may be from its place, some turns after the one before."""
        room = place_mm(np.array(period_mm), length_mm=self._length_mm)
        return float(room) * math.sqrt(max(turns, 1))

    def over_mm(self, longest_mm: float) -> float:
        """Return where the repeat has stopped if nothing ended before that belongs to it.

        Args:
            longest_mm: Length of the longest print, in mm.
        """
        return self.last_mm + (OVER_TURNS + 0.5) * self._period_now_mm + longest_mm

    def miss(self, mark: Print) -> float:
        """Return how far a defect is from where a print may be: up to 1 it is one of them.

        A second piece of the last print counts as well.
        """
        aside = abs(mark.across_mm - self.across_mm) / max(self._lane_mm, mark.lane_mm)
        if mark.class_name != self.class_name or aside > 1:
            return np.inf
        period_mm = self._period_now_mm
        turns = round((mark.along_mm - self.last_mm) / period_mm)
        if not 0 <= turns <= OVER_TURNS:
            return np.inf
        off_mm = abs(mark.along_mm - self.last_mm - turns * period_mm)
        return off_mm / (_LOOSE * self._room_mm(period_mm, turns))

    def add(self, mark: Print) -> None:
        """Take in a print, or a second piece of the last one."""
        turns = round((mark.along_mm - self.last_mm) / self._period_now_mm)
        if not turns:
            return
        self.prints += 1
        self._recent.append((self.turns + turns, mark.along_mm))
        self.across_mm += (mark.across_mm - self.across_mm) / min(self.prints, _STEADY)

    def take_over(self, other: "RollSeries") -> bool:
        """Take in a series that lies half a turn beside this one: both are of half the period.

        Args:
            other: A series that was just found.

        Returns:
            Whether it does, and was taken in.
        """
        aside = abs(other.across_mm - self.across_mm) / max(self._lane_mm, other._lane_mm)
        if other.class_name != self.class_name or aside > 1:
            return False
        period_mm = self._period_now_mm
        room_mm = self._room_mm(period_mm, 1)
        if abs(other._period_now_mm - period_mm) > room_mm:
            return False
        half_mm = period_mm / 2
        halves = round((other.last_mm - self.last_mm) / half_mm)
        if not halves % 2 or abs(other.last_mm - self.last_mm - halves * half_mm) > room_mm:
            return False
        mine = [(2 * turn, place) for turn, place in self._recent]
        last = mine[-1][0]
        theirs = [(last + round((p - self.last_mm) / half_mm), p) for _, p in other._recent]
        merged = sorted({*mine, *theirs})
        start = min(0, merged[0][0])
        self.first_mm = min(self.first_mm, other.first_mm)
        self.prints += other.prints
        self._recent = deque([(turn - start, place) for turn, place in merged], maxlen=_RECENT)
        return True

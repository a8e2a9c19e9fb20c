"""Distances at which rolls print, and how many of them can be told apart."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SLIP: Final = 0.01
"""How far a period may be from π · diameter · elongation, as a share: slip and encoder."""

PLACE_MM: Final = 5.0
"""How far a print may be from its place, in mm, plus ``PLACE_SHARE`` of the period."""

PLACE_SHARE: Final = 0.003


@dataclass(frozen=True, slots=True, kw_only=True)
class Roll:
    """A roll that touches the surface that the camera sees.

    Attributes:
        name: What people call it.
        diameter_mm: Its diameter when new, in mm.
        wear_mm: How much smaller it may have become, in mm.
        elongation: How much longer the strip is at the camera than it was in the roll's gap,
            forward slip included.
    """

    name: str
    diameter_mm: float
    wear_mm: float = 0.0
    elongation: float = 1.0

    @property
    def periods_mm(self) -> tuple[float, float]:
        """The shortest and the longest distance at which it may print, in mm."""
        longest = math.pi * self.diameter_mm * self.elongation
        shortest = math.pi * (self.diameter_mm - self.wear_mm) * self.elongation
        return shortest * (1 - SLIP), longest * (1 + SLIP)


class RollPeriods:
    """The periods that are looked for: those of known rolls, and a range for all others.

    Args:
        rolls: The known ones.
        min_diameter_mm: The smallest unknown roll.
        max_diameter_mm: The largest unknown roll.
    """

    def __init__(
        self, rolls: Sequence[Roll], *, min_diameter_mm: float, max_diameter_mm: float
    ) -> None:
        self._rolls = sorted(rolls, key=lambda roll: roll.name)
        others = (math.pi * min_diameter_mm, math.pi * max_diameter_mm)
        known = [roll.periods_mm for roll in self._rolls]
        self.shortest_mm = min(low for low, _ in [others, *known])
        self.longest_mm = max(high for _, high in [others, *known])
        # Known rolls get half of the allowance for chance, however many others there might be.
        halves = 2 if known else 1
        trials = [(*others, halves * _distinct(*others))]
        trials += [(low, high, halves * sum(_distinct(*k) for k in known)) for low, high in known]
        self._trials = trials

    def trials(self, period_mm: Floats) -> Floats:
        """Return how many periods are tried where one like these is, inf where none is.

        It is the number that a chance alignment at such a period has to be multiplied with: see
        ``roll_chain``. Periods nearer to each other than a print is to its place count as one.
        """
        tried = np.full(period_mm.shape, np.inf)
        for low, high, count in self._trials:
            inside = (period_mm >= low) & (period_mm <= high)
            tried[inside] = np.minimum(tried[inside], count)
        return tried

    def rolls_at(self, period_mm: float, *, error_mm: float) -> tuple[Roll, ...]:
        """Return the rolls that may print at a period, by name.

        Args:
            period_mm: The period in mm.
            error_mm: How wrong it may be, in mm.
        """
        found = []
        for roll in self._rolls:
            low, high = roll.periods_mm
            if low - error_mm <= period_mm <= high + error_mm:
                found.append(roll)
        return tuple(found)


def place_mm(period_mm: Floats, *, length_mm: float) -> Floats:
    """Return how far a print may be from its place, in mm.

    The middle of a long mark is known worse than that of a short one, and what slips adds up over
    a turn.

    Args:
        period_mm: Distances from print to print in mm.
        length_mm: Length of the mark in mm.
    """
    return max(PLACE_MM, length_mm / 8) + PLACE_SHARE * period_mm


def _distinct(low_mm: float, high_mm: float) -> float:
    """Return how many intervals of ± ``place_mm`` make up a range of periods."""
    widest, narrowest = PLACE_MM + PLACE_SHARE * high_mm, PLACE_MM + PLACE_SHARE * low_mm
    return 1 + math.log(widest / narrowest) / (2 * PLACE_SHARE)

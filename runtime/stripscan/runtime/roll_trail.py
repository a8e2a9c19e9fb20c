"""The last defects of one class, as far back as a chain of prints may reach."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from stripscan.contract.defect import Defect
from stripscan.runtime.roll_chain import Flags, Ints, Lane
from stripscan.runtime.roll_periods import Floats

LANE_MM: Final = 10.0
"""Prints of one mark are at most this far apart across, or half the width of a wider one."""

MAX_DEFECTS: Final = 4096
"""Defects that are kept; on metal with more, the trail is shorter."""

MAX_IN_LANE: Final = 256
"""Defects that are looked at in one lane; in a fuller one, the trail is shorter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Print:
    """What may be the print of a roll.

    Attributes:
        number: Number of the defect.
        class_name: Its class.
        along_mm: Its middle from the head, in mm.
        end_mm: Its end from the head, in mm.
        across_mm: Its middle from the strip's left edge, in mm.
        length_mm: Its length along, in mm.
        lane_mm: How far other prints of the same mark may be from it across, in mm.
        strip_mm: Width of the strip there, in mm.
    """

    number: int
    class_name: str
    along_mm: float
    end_mm: float
    across_mm: float
    length_mm: float
    lane_mm: float
    strip_mm: float

    @classmethod
    def of(cls, defect: Defect) -> Self:
        """Return the place of a defect."""
        return cls(
            number=defect.number,
            class_name=defect.class_name,
            along_mm=(defect.along_start_m + defect.along_end_m) * 500.0,
            end_mm=defect.along_end_m * 1000.0,
            across_mm=(defect.across_left_mm + defect.across_right_mm) / 2,
            length_mm=defect.length_mm,
            lane_mm=max(LANE_MM, defect.width_mm / 2),
            strip_mm=defect.across_right_mm + defect.edge_right_mm,
        )


class RollTrail:
    """Where the defects of one class were, but for those that are prints of known repeats."""

    def __init__(self) -> None:
        self._along: Floats = np.empty(0)
        self._across: Floats = np.empty(0)
        self._number: Ints = np.empty(0, np.int64)
        self._since_mm = 0.0

    def add(self, mark: Print, *, reach_mm: float) -> None:
        """Take in a defect, and forget those more than ``reach_mm`` before it.

        They are kept in the order of their middles; they come in that of their ends.
        """
        at = int(np.searchsorted(self._along, mark.along_mm, side="right"))
        self._along = np.insert(self._along, at, mark.along_mm)
        self._across = np.insert(self._across, at, mark.across_mm)
        self._number = np.insert(self._number, at, mark.number)
        self._since_mm = max(self._since_mm, mark.along_mm - reach_mm)
        if len(self._along) > MAX_DEFECTS:
            self._since_mm = max(self._since_mm, float(self._along[-MAX_DEFECTS]))
        self._keep(self._along >= self._since_mm)

    def remove(self, numbers: tuple[int, ...]) -> None:
        """Forget defects that turned out to be prints."""
        self._keep(~np.isin(self._number, numbers))

    def lane(self, mark: Print) -> tuple[Lane, Ints]:
        """Return what is known before a print, and the numbers of the defects in its lane."""
        before = self._along < mark.along_mm
        near: Flags = before & (np.abs(self._across - mark.across_mm) <= mark.lane_mm)
        index = np.flatnonzero(near)
        since_mm = self._since_mm
        if len(index) > MAX_IN_LANE:
            index = index[-MAX_IN_LANE:]
            since_mm = float(self._along[index[0]])
        width_mm = 2 * mark.lane_mm
        lane = Lane(
            anchor_mm=mark.along_mm,
            length_mm=mark.length_mm,
            lane_mm=self._along[index],
            class_mm=self._along[before & (self._along >= since_mm)],
            share=min(1.0, width_mm / max(mark.strip_mm, width_mm)),
            seen_mm=mark.along_mm - since_mm,
        )
        return lane, self._number[index]

    def _keep(self, kept: Flags) -> None:
        if not kept.all():
            self._along, self._across = self._along[kept], self._across[kept]
            self._number = self._number[kept]

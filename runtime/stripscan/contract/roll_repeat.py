"""The record of a mark that a damaged roll prints once every turn."""

from dataclasses import dataclass

from stripscan.contract.defect import DefectPhase


@dataclass(frozen=True, slots=True, kw_only=True)
class RollRepeat:
    """Defects of one class at one place across that come back at one distance.

    Attributes:
        coil: Coil that they lie on.
        number: Number of the repeat on the coil, from 1, in the order of alarms.
        phase: New at the alarm, end when it has stopped or the coil has ended.
        class_name: Class of the defects.
        rolls: Names of the rolls that print at this distance, by name; several cannot be told
            apart, none is a roll that the station file does not have.
        period_mm: Mean distance from print to print in mm.
        diameter_mm: Diameter of the roll that prints at it, in mm, with the elongation of the
            first of ``rolls``, or none.
        across_mm: Middle of the last prints from the strip's left edge, in mm.
        first_m: Middle of the first print from the head, in m.
        last_m: Middle of the last one, in m.
        prints: Turns of the roll that left a defect.
        missed: Turns between the first and the last print that left none: it was not found, or
            the metal there was not inspected.
        defects: Numbers of the defects. A store has all of them; while a coil runs, a record has
            those that are new since the one before it.
    """

    coil: str
    number: int
    phase: DefectPhase
    class_name: str
    rolls: tuple[str, ...]
    period_mm: float
    diameter_mm: float
    across_mm: float
    first_m: float
    last_m: float
    prints: int
    missed: int
    defects: tuple[int, ...]

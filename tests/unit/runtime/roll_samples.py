"""What tests of roll repeats share: defects at chosen places, and what a watch makes of them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.defect import Defect, DefectPhase
from stripscan.contract.roll_repeat import RollRepeat
from stripscan.runtime.roll_periods import Roll
from stripscan.runtime.rolls import RollWatch

STRIP_MM = 1000.0


def a_print(
    number: int,
    along_m: float,
    across_mm: float = 400.0,
    *,
    length_mm: float = 10.0,
    width_mm: float = 10.0,
    class_name: str = "inclusion",
    phase: DefectPhase = DefectPhase.END,
) -> Defect:
    """Return a defect by its middle."""
    half_m = length_mm / 2000
    left, right = across_mm - width_mm / 2, across_mm + width_mm / 2
    return Defect(
        coil="c1",
        number=number,
        phase=phase,
        class_name=class_name,
        confidence=0.9,
        class_share={class_name: 1.0},
        severity="minor",
        along_start_m=along_m - half_m,
        along_end_m=along_m + half_m,
        across_left_mm=left,
        across_right_mm=right,
        area_mm2=length_mm * width_mm,
        length_mm=length_mm,
        width_mm=width_mm,
        edge_left_mm=left,
        edge_right_mm=STRIP_MM - right,
        first_line=0,
        last_line=0,
        first_px=0,
        last_px=0,
        area_px=1,
    )


def defects_at(places: Iterable[tuple[float, float]]) -> list[Defect]:
    """Return defects at metres and millimetres, numbered along the strip."""
    return [a_print(i, along, across) for i, (along, across) in enumerate(sorted(places), start=1)]


def clutter(seed: int, *, count: int, length_m: float) -> NDArray[np.float64]:
    """Return places at random."""
    return np.random.default_rng(seed).uniform((0, 0), (length_m, STRIP_MM), (count, 2))


def a_watch(rolls: Sequence[Roll] = (), *, false_alarms: float = 0.01) -> RollWatch:
    return RollWatch(
        coil="c1",
        rolls=rolls,
        false_alarms=false_alarms,
        min_diameter_mm=150,
        max_diameter_mm=2000,
    )


def records(
    defects: Iterable[Defect], rolls: Sequence[Roll] = (), *, finish: bool = True
) -> list[RollRepeat]:
    """Return all that a watch says, one defect a push."""
    watch = a_watch(rolls)
    said: list[RollRepeat] = []
    for defect in defects:
        said += watch.push([defect], settled_m=defect.along_end_m)
    return said + list(watch.finish() if finish else ())


def at_the_end(said: Iterable[RollRepeat]) -> list[RollRepeat]:
    """Return what a store would hold: the last record of each, with all defects."""
    kept: dict[int, RollRepeat] = {}
    for repeat in said:
        before = kept[repeat.number].defects if repeat.number in kept else ()
        kept[repeat.number] = replace(repeat, defects=tuple(sorted({*before, *repeat.defects})))
    return list(kept.values())

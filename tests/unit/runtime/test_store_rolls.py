import dataclasses
from pathlib import Path

import pytest

from stripscan.contract.defect import DefectPhase
from stripscan.contract.errors import StoreError
from stripscan.contract.roll_repeat import RollRepeat
from stripscan.runtime.store import Store
from unit.runtime.store_places import place
from unit.runtime.test_store import COIL

__all__ = ["place"]

REPEAT = RollRepeat(
    coil="4711",
    number=1,
    phase=DefectPhase.NEW,
    class_name="inclusion",
    rolls=("F6 top", 'F7 "top"'),
    period_mm=2136.28,
    diameter_mm=680.0,
    across_mm=400.5,
    first_m=10.5,
    last_m=14.75,
    prints=3,
    missed=0,
    defects=(3, 5, 9),
)


def test_a_repeat_that_grows_keeps_all_its_defects(place: Path | str) -> None:
    grown = dataclasses.replace(REPEAT, phase=DefectPhase.UPDATE, prints=4, defects=(11,))
    other = dataclasses.replace(REPEAT, number=2, rolls=(), defects=())
    with Store.open(place) as store:
        store.start_coil(COIL)
        store.put_roll_repeat(REPEAT)
        assert store.roll_repeats("4711") == (REPEAT,)
        store.put_roll_repeat(grown)
        store.put_roll_repeat(other)
    with Store.open(place, readonly=True) as store:
        assert store.roll_repeats("4711") == (
            dataclasses.replace(grown, defects=(3, 5, 9, 11)),
            other,
        )
        assert store.roll_repeats("4712") == ()


def test_a_repeat_of_no_coil_is_refused_and_leaves_nothing(place: Path | str) -> None:
    with Store.open(place) as store:
        with pytest.raises(StoreError, match=r"(?i)foreign key"):
            store.put_roll_repeat(REPEAT)
        assert store.roll_repeats("4711") == ()

import dataclasses
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from stripscan.contract.defect import DefectPhase
from stripscan.contract.errors import StoreError
from stripscan.contract.roll_repeat import RollRepeat
from stripscan.runtime.store import Store
from stripscan.runtime.store_schema import SCHEMA_VERSION
from unit.runtime.test_store import COIL, a_defect

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


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "line.sqlite"


def test_a_repeat_that_grows_keeps_all_its_defects(path: Path) -> None:
    grown = dataclasses.replace(REPEAT, phase=DefectPhase.UPDATE, prints=4, defects=(11,))
    other = dataclasses.replace(REPEAT, number=2, rolls=(), defects=())
    with Store.open(path) as store:
        store.start_coil(COIL)
        store.put_roll_repeat(REPEAT)
        assert store.roll_repeats("4711") == (REPEAT,)
        store.put_roll_repeat(grown)
        store.put_roll_repeat(other)
    with Store.open(path, readonly=True) as store:
        assert store.roll_repeats("4711") == (
            dataclasses.replace(grown, defects=(3, 5, 9, 11)),
            other,
        )
        assert store.roll_repeats("4712") == ()


def test_a_repeat_of_no_coil_is_refused_and_leaves_nothing(path: Path) -> None:
    with Store.open(path) as store:
        with pytest.raises(StoreError, match="FOREIGN KEY"):
            store.put_roll_repeat(REPEAT)
        assert store.roll_repeats("4711") == ()


@pytest.mark.parametrize("readonly", [True, False])
def test_a_store_of_version_1_is_upgraded_and_keeps_its_data(
    path: Path, readonly: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as old:
        old.setattr("stripscan.runtime.store_schema.UPGRADES", ())
        old.setattr("stripscan.runtime.store_schema.SCHEMA_VERSION", 1)
        with Store.open(path) as store:
            store.start_coil(COIL)
            store.put_defect(a_defect())
    with Store.open(path, readonly=readonly) as store:
        assert store.coil("4711") == COIL
        assert store.defects("4711") == (a_defect(),)
        assert store.roll_repeats("4711") == ()
    with Store.open(path) as store:
        store.put_roll_repeat(REPEAT)
        assert store.roll_repeats("4711") == (REPEAT,)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION

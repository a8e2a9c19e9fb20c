"""Defects know their surface; those of stores from before had that of their coil."""

import sqlite3
from pathlib import Path

import pytest

from stripscan.runtime.store import Store
from stripscan.runtime.store_schema import APPLICATION_ID, SCHEMA, UPGRADES
from unit.runtime.rules_samples import COIL, a_defect


@pytest.mark.parametrize("surface", ["top", "bottom"])
def test_a_store_from_before_gets_the_surface_of_its_coils(tmp_path: Path, surface: str) -> None:
    path = tmp_path / "s.db"
    before = 2
    with sqlite3.connect(path) as old:
        old.executescript(f"{SCHEMA}{''.join(UPGRADES[:before])}PRAGMA user_version = {before + 1}")
        old.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        old.execute(
            "INSERT INTO coil VALUES ('c1', 's', 'cam', ?, 't', NULL, 'complete', 9, 1, 1, 1, 'b',"
            " 'd', '[]', '{}')",
            [surface],
        )
        old.execute(
            "INSERT INTO defect VALUES ('c1', 1, 'end', 'a', 1, '{}', 'm',"
            " 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)"
        )
    old.close()
    with Store.open(path) as store:
        assert [d.surface for d in store.defects("c1")] == [surface]


def test_a_defect_keeps_its_surface(tmp_path: Path) -> None:
    with Store.open(tmp_path / "s.db") as store:
        store.start_coil(COIL)
        store.put_defect(a_defect(1))
        store.put_defect(a_defect(2, surface="bottom"))
        assert [d.surface for d in store.defects("c1")] == ["top", "bottom"]

"""Defects know their surface; those of stores from before had that of their coil."""

from pathlib import Path

import pytest

from stripscan.runtime.store import Store
from unit.runtime.rules_samples import COIL, a_defect
from unit.runtime.store_places import execute
from unit.runtime.test_store_versions import old_store


@pytest.mark.parametrize("surface", ["top", "bottom"])
def test_a_store_from_before_gets_the_surface_of_its_coils(tmp_path: Path, surface: str) -> None:
    path = tmp_path / "line.sqlite"
    old_store(path, 3)
    execute(path, f"UPDATE coil SET surface = '{surface}'")  # noqa: S608 - ours
    with Store.open(path) as store:
        assert [d.surface for d in store.defects("4711")] == [surface]


def test_a_defect_keeps_its_surface(tmp_path: Path) -> None:
    with Store.open(tmp_path / "line.sqlite") as store:
        store.start_coil(COIL)
        store.put_defect(a_defect(1))
        store.put_defect(a_defect(2, surface="bottom"))
        assert [d.surface for d in store.defects("c1")] == ["top", "bottom"]

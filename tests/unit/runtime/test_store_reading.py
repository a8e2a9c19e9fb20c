"""Pages, maps and counts say the same as all defects of the coil do, on both databases."""

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from stripscan.contract.classes import NEU_CLASSES, SEVERITIES
from stripscan.contract.defect import Defect
from stripscan.contract.errors import StoreError
from stripscan.runtime.store import Store
from stripscan.runtime.store_reading import _ORDERS, OTHER
from unit.runtime.store_places import place
from unit.runtime.test_store import COIL, a_defect

__all__ = ["place"]

WORST = (*SEVERITIES, "ignore")
NAMES = [c.name for c in NEU_CLASSES]


def defects(count: int) -> list[Defect]:
    rng = np.random.default_rng(5)
    found = []
    for number in range(1, count + 1):
        start = float(rng.integers(0, 40))  # whole metres, so that many are equal
        left = rng.uniform(0, 900)
        found.append(
            a_defect(
                number,
                class_name=str(rng.choice([*NAMES, "of another bundle"])),
                severity=str(rng.choice([*SEVERITIES, "ignore", "odd"])),
                along_start_m=start,
                along_end_m=start + rng.exponential(2.0),
                across_left_mm=left,
                across_right_mm=left + 8.5,
                area_mm2=float(rng.integers(1, 20)),
            )
        )
    return found


def filled(place: Path | str, found: list[Defect]) -> Store:
    store = Store.open(place)
    store.start_coil(COIL)
    store.start_coil(dataclasses.replace(COIL, id="other"))
    with store.transaction():
        for defect in reversed(found):
            store.put_defect(defect)
        store.put_defect(dataclasses.replace(found[0], coil="other", number=77))
    return store


def rank(defect: Defect) -> int:
    return WORST.index(defect.severity) if defect.severity in WORST else OTHER


KEYS = {
    "number": lambda d: d.number,
    "newest": lambda d: -d.number,
    "along": lambda d: (d.along_start_m, d.number),
    "area": lambda d: (-d.area_mm2, d.number),
    "severity": lambda d: (rank(d), -d.area_mm2, d.number),
}


def test_pages_in_every_order_show_each_defect_once(place: Path | str) -> None:
    found = defects(120)
    assert KEYS.keys() == _ORDERS.keys()
    with filled(place, found) as store:
        for order, key in KEYS.items():
            shown: list[Defect] = []
            while page := store.defect_page(
                "4711", order=order, limit=50, after=shown[-1].number if shown else None
            ):
                shown += page
            assert shown == sorted(found, key=key)
        with pytest.raises(StoreError, match=r"defect 999 of coil 4711 is not in .* first page"):
            store.defect_page("4711", after=999)


def test_filters_keep_what_fits_all_of_them(place: Path | str) -> None:
    found = defects(300)
    with filled(place, found) as store:
        page = store.defect_page(
            "4711",
            classes=NAMES[:3],
            severities=("critical", "odd"),
            along_m=(10.0, 20.0),
            min_area_mm2=5.0,
            order="area",
            limit=1000,
        )
        assert store.defect_page("4711", classes=()) == ()
    fitting = [
        d
        for d in found
        if d.class_name in NAMES[:3]
        and d.severity in {"critical", "odd"}
        and d.along_end_m >= 10
        and d.along_start_m <= 20
        and d.area_mm2 >= 5
    ]
    assert fitting
    assert list(page) == sorted(fitting, key=KEYS["area"])


def test_map_and_counts_are_those_of_all_defects(place: Path | str) -> None:
    found = defects(200)
    with filled(place, found) as store:
        shown = store.defect_map("4711")
        counts = store.counts("4711")
        assert store.defect_map("50%'").number.shape == (0,)
        assert store.counts("none") == ()
        assert list(store.some_defects("4711", [9, 3, 777])) == [found[2], found[8]]
    assert shown.number.tolist() == [d.number for d in found]
    places = ("along_start_m", "along_end_m", "across_left_mm", "across_right_mm")
    for name in (*places, "area_mm2", "confidence"):
        assert getattr(shown, name).tolist() == [getattr(d, name) for d in found]
    named = dict(enumerate(shown.classes)) | {OTHER: "of another bundle"}
    assert [named[i] for i in shown.class_index.tolist()] == [d.class_name for d in found]
    assert shown.severity_index.tolist() == [rank(d) for d in found]
    expected = Counter((d.class_name, d.severity) for d in found)
    assert {(c.class_name, c.severity): c.count for c in counts} == expected
    assert sum(c.area_mm2 for c in counts) == pytest.approx(sum(d.area_mm2 for d in found))

"""A simulated coil through the default bundle, with its gate and without."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from stripscan.contract.rle import mask_of
from stripscan.runtime.acceptance import judge
from stripscan.runtime.daemon import run_station
from stripscan.runtime.sources.simulator import SimulatorFrames
from stripscan.runtime.station import Station
from stripscan.runtime.store import Store

WIDTH, LENGTH_M = 512, 5.0
LINES = 10_000


def a_station(folder: Path, *, gate: bool) -> Station:
    return Station.model_validate(
        {
            "name": "line 1",
            "coil": {"id": "gated" if gate else "whole"},
            "camera": {"mm_per_px": 0.5, "mm_per_line": 0.5},
            "source": {
                "kind": "simulator",
                "width_px": WIDTH,
                "length_m": LENGTH_M,
                "defects_per_class": 2,
                "seed": 11,
            },
            "store": {"path": folder / "line.sqlite"},
            "inference": {"gate": gate, "tile_px": 128},
        }
    )


def mask_in(store: Store, coil: str) -> NDArray[np.bool_]:
    runs = [r for r in store.masks(coil).values() if len(r)]
    return mask_of(np.concatenate(runs), first_line=0, lines=LINES, width=WIDTH) > 0


def test_the_gate_costs_few_tiles_and_no_defect(tmp_path: Path) -> None:
    stations = [a_station(tmp_path, gate=gate) for gate in (False, True)]
    for station in stations:
        run_station(station)
    source = stations[0].source
    strip = SimulatorFrames(source, stations[0].camera).strip
    with Store.open(tmp_path / "line.sqlite", readonly=True) as store:
        whole, gated = (judge(store, station.coil.id, strip) for station in stations)
        masks = [mask_in(store, station.coil.id) for station in stations]
        coverage, stats = store.coverage("gated"), store.coil("gated").stats
    # Planted defects that the whole chain finds and the gated one does not: none.
    assert gated.found == whole.found > 0
    assert gated.false_alarms <= whole.false_alarms
    # Both have the same grid: what is found through the gate is what is found without, to the
    # pixel, but for specks in tiles that the gate passes over.
    assert not (masks[1] & ~masks[0]).any()
    assert masks[1].sum() > 0.98 * masks[0].sum()
    assert stats["tiles_passed"] < 0.5 * stats["tiles"]
    assert [(str(i.status), i.reason) for i in coverage] == [("inspected", "gated")]
    assert coverage[0].length_m == pytest.approx(LENGTH_M)

"""A strip on which a roll leaves its mark, from its images to the store and the log."""

import logging
import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from stripscan.contract.bundle import write_bundle
from stripscan.contract.defect import DefectPhase
from stripscan.contract.manifest import InputSpec
from stripscan.runtime.daemon import run_station
from stripscan.runtime.station import load_station
from stripscan.runtime.store import Store
from unit.contract.bundle_samples import draft
from unit.runtime.inspection_samples import metal

pytest.importorskip("onnx", reason="needs the export extra, to make a model")
pytestmark = pytest.mark.export

from unit.runtime.onnx_samples import dark_model

MM_PER_LINE = 1.0
DIAMETER_MM = 300.0
PERIOD_LINES = math.pi * DIAMETER_MM / MM_PER_LINE
STATION = f"""\
name = "line 1"
[coil]
id = "a"
[camera]
mm_per_px = 1.0
mm_per_line = {MM_PER_LINE}
strip_edges = "full"
[bundle]
path = "bundle"
[inference]
threads = 1
[store]
path = "line.sqlite"
[source]
kind = "folder"
path = "frames"
[[roll]]
name = "pinch roll"
diameter_mm = 500.0
[[roll]]
name = "run-out roller 12"
diameter_mm = {DIAMETER_MM}
"""


def write_strip(folder: Path, *, bad_image: int | None = None) -> None:
    """Write 12 m of strip: a mark each turn of the roll from 6 m on, and three other defects."""
    pixels = metal(12_000, 96)
    for turn in range(7):
        line = round(6000 + turn * PERIOD_LINES)
        pixels[line : line + 10, 40:52] = 20
    for line, px in ((700, 40), (3300, 70), (6400, 38)):
        pixels[line : line + 12, px : px + 8] = 20
    (folder / "frames").mkdir()
    for number, picture in enumerate(np.split(pixels, 24)):
        path = folder / "frames" / f"{number}.png"
        if number == bad_image:
            path.write_bytes(b"no picture")
        else:
            assert cv2.imwrite(str(path), picture)


def run(folder: Path) -> None:
    draft_ = draft(
        golden=(), input=InputSpec(tile_px=64, halo_px=8, mm_per_px=1.0, size_multiple_px=32)
    )
    write_bundle(folder / "bundle", draft_, {"model.onnx": dark_model(class_id=2)})
    (folder / "station.toml").write_text(STATION, encoding="utf-8")
    run_station(load_station(folder / "station.toml"))


def test_a_roll_is_named_in_the_store_and_in_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_strip(tmp_path)
    with caplog.at_level(logging.WARNING):
        run(tmp_path)
    with Store.open(tmp_path / "line.sqlite", readonly=True) as store:
        (found,) = store.roll_repeats("a")
        prints = [d for d in store.defects("a") if d.number in found.defects]
    assert (found.phase, found.rolls) == (DefectPhase.END, ("run-out roller 12",))
    assert (found.prints, found.missed) == (7, 0)
    assert found.period_mm == pytest.approx(math.pi * DIAMETER_MM, abs=1)
    assert (found.first_m, found.across_mm) == pytest.approx((6.005, 46.0), abs=0.01)
    assert [d.first_line for d in prints] == [
        round(6000 + turn * PERIOD_LINES) for turn in range(7)
    ]
    (warning,) = [r for r in caplog.records if r.name == "stripscan.runtime.coil_run"]
    assert (warning.levelname, warning.message) == ("WARNING", "a roll leaves marks")
    assert vars(warning)["rolls"] == "run-out roller 12"
    assert vars(warning)["coil"] == "a"


def test_a_print_that_was_not_seen_is_missed_and_the_repeat_goes_on(tmp_path: Path) -> None:
    write_strip(tmp_path, bad_image=19)  # 9.5 to 10 m: the fifth print
    run(tmp_path)
    with Store.open(tmp_path / "line.sqlite", readonly=True) as store:
        (found,) = store.roll_repeats("a")
    assert (found.rolls, found.prints, found.missed) == (("run-out roller 12",), 6, 1)

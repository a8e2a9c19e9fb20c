import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from stripscan.contract.errors import DataError
from stripscan.simulation.blend import RealDefects
from stripscan.simulation.defects import GAIN_ONE
from stripscan.simulation.spec import StripSpec
from stripscan.simulation.strip import SimulatedStrip


def _data_set(folder: Path, *, marked: bool = True) -> Path:
    """Write one 60 x 60 px image a class: metal of grey 100 with a bar of grey 50."""
    (folder / "Source Images").mkdir()
    (folder / "Ground truth").mkdir()
    image = np.full((60, 60), 100, np.uint8)
    image[10:50, 25:35] = 50
    mask = np.where(image == 50, 255, 0).astype(np.uint8) if marked else np.zeros_like(image)
    for prefix in ("In", "Pa", "Sc"):
        cv2.imwrite(str(folder / "Source Images" / f"{prefix}_1.bmp"), image)
        cv2.imwrite(str(folder / "Ground truth" / f"{prefix}_1.png"), mask)
    return folder


def test_a_cut_out_is_the_ratio_to_its_metal_and_fades_out(tmp_path: Path) -> None:
    real = RealDefects(_data_set(tmp_path))
    sprite = real.draw("inclusion", np.random.default_rng(0), 60, 30)
    assert sprite.mask.sum() == pytest.approx(400, rel=0.05)
    inside = sprite.gain_q8[cv2.erode(sprite.mask, np.ones((3, 3))) == 1]
    assert np.abs(inside / GAIN_ONE - 0.5).max() < 0.06
    border = np.concatenate([sprite.gain_q8[[0, -1]].ravel(), sprite.gain_q8[:, [0, -1]].ravel()])
    assert np.abs(border / GAIN_ONE - 1).max() < 0.06


def test_a_strip_with_real_defects_keeps_its_records_true(tmp_path: Path) -> None:
    spec = StripSpec(
        width_px=512,
        length_m=2,
        defects_per_class={"inclusion": 2, "scratches": 1, "crazing": 1},
        real_data=_data_set(tmp_path),
    )
    strip = SimulatedStrip(spec)
    coil = strip.render(0, strip.total_lines)
    assert [d.area_px for d in strip.planted] == [
        int((coil.number == d.number).sum()) for d in strip.planted
    ]


def test_a_folder_without_the_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no real inclusion"):
        RealDefects(tmp_path)


def test_a_data_set_without_marks_is_refused(tmp_path: Path) -> None:
    real = RealDefects(_data_set(tmp_path, marked=False))
    with pytest.raises(DataError, match="none of 1 masks"):
        real.draw("patches", np.random.default_rng(0), 50, 50)


def test_a_broken_image_is_named(tmp_path: Path) -> None:
    _data_set(tmp_path)
    broken = tmp_path / "Source Images" / "Sc_1.bmp"
    broken.write_bytes(b"not an image")
    with pytest.raises(DataError, match=r"Sc_1\.bmp cannot be read"):
        RealDefects(tmp_path).draw("scratches", np.random.default_rng(0), 90, 20)


@pytest.mark.realdata
@pytest.mark.skipif("STRIPSCAN_DATA" not in os.environ, reason="STRIPSCAN_DATA is not set")
def test_real_defects_are_darker_or_brighter_as_their_class_is() -> None:
    real = RealDefects(Path(os.environ["STRIPSCAN_DATA"]))
    rng = np.random.default_rng(4)
    gains = {}
    for name in ("inclusion", "patches", "scratches"):
        sprites = [real.draw(name, rng, 150, 60) for _ in range(12)]
        gains[name] = np.median([s.gain_q8[s.mask == 1].mean() / GAIN_ONE for s in sprites])
    assert gains["inclusion"] < 0.97
    assert gains["patches"] < 0.8
    assert gains["scratches"] > 1.2

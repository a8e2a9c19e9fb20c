import cv2
import numpy as np
import pytest

from stripscan.contract.errors import ConfigError
from stripscan.simulation.defects import CLASS_NAMES, GAIN_ONE, draw_defect


@pytest.mark.parametrize("class_name", CLASS_NAMES)
@pytest.mark.parametrize(("lines", "width"), [(12, 6), (30, 90), (150, 120), (400, 20)])
def test_every_class_fits_every_box(class_name: str, lines: int, width: int) -> None:
    for seed in range(4):
        sprite = draw_defect(class_name, np.random.default_rng(seed), lines, width)
        assert sprite.mask.shape == sprite.gain_q8.shape == (lines, width)
        assert set(np.unique(sprite.mask).tolist()) <= {0, 1}
        assert sprite.mask.any()


@pytest.mark.parametrize("class_name", ["inclusion", "patches", "scratches"])
def test_the_exact_masks_hold_the_visible_change(class_name: str) -> None:
    for seed in range(8):
        sprite = draw_defect(class_name, np.random.default_rng(seed), 120, 60)
        change = np.abs(sprite.gain_q8.astype(int) - GAIN_ONE)
        inside = change[sprite.mask == 1]
        far = change[cv2.dilate(sprite.mask, np.ones((33, 33), np.uint8)) == 0]
        assert np.median(inside) > 0.12 * GAIN_ONE
        assert far.size == 0 or far.max() < 0.02 * GAIN_ONE


@pytest.mark.parametrize("class_name", ["crazing", "pitted_surface", "rolled-in_scale"])
def test_spread_textures_are_masked_as_one_region(class_name: str) -> None:
    for seed in range(6):
        mask = draw_defect(class_name, np.random.default_rng(seed), 140, 110).mask
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
        assert stats[1:, cv2.CC_STAT_AREA].max() > 0.9 * mask.sum()
        assert mask.mean() > 0.3


def test_one_patch_is_one_piece() -> None:
    for seed in range(10):
        mask = draw_defect("patches", np.random.default_rng(seed), 100, 80).mask
        assert cv2.connectedComponents(mask)[0] == 2


def test_a_long_scratch_runs_the_length_of_its_box() -> None:
    mask = draw_defect("scratches", np.random.default_rng(1), 3000, 12).mask
    assert mask.any(axis=1).mean() > 0.8
    assert mask[:40].any()
    assert mask[-40:].any()


def test_an_unknown_class_and_a_tiny_box_are_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ConfigError, match="'rust'"):
        draw_defect("rust", rng, 50, 50)
    with pytest.raises(ConfigError, match="5 x 5 px"):
        draw_defect("patches", rng, 5, 5)

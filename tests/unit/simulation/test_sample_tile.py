import numpy as np
import pytest

from stripscan.contract.classes import NEU_CLASSES
from stripscan.contract.errors import ConfigError
from stripscan.simulation.tiles import sample_tile


def test_clean_tiles_have_empty_masks_and_varied_grey() -> None:
    rng = np.random.default_rng(1)
    tiles = [sample_tile(rng, 96, defects=0, edge_probability=0) for _ in range(60)]
    assert all(not mask.any() for _, mask in tiles)
    means = [float(pixels.mean()) for pixels, _ in tiles]
    assert min(means) < 90
    assert max(means) > 150
    assert all(pixels.dtype == np.uint8 and pixels.shape == (96, 96) for pixels, _ in tiles)


def test_tiles_with_defects_show_one_or_two_classes_and_all_of_them_in_time() -> None:
    rng = np.random.default_rng(2)
    masks = [sample_tile(rng, 128, edge_probability=0)[1] for _ in range(120)]
    classes = [set(np.unique(mask).tolist()) - {0} for mask in masks]
    assert all(1 <= len(found) <= 2 for found in classes)
    assert set().union(*classes) == {c.id for c in NEU_CLASSES}
    cut = [bool((m[0] | m[-1]).any() or m[:, 0].any() or m[:, -1].any()) for m in masks]
    assert 0.2 < np.mean(cut) < 0.95


def test_the_same_state_gives_the_same_tile() -> None:
    one, again, other = (sample_tile(np.random.default_rng(s), 64) for s in (5, 5, 6))
    assert np.array_equal(one[0], again[0])
    assert np.array_equal(one[1], again[1])
    assert not np.array_equal(one[0], other[0])


def test_the_edge_shows_the_dark_beside_the_strip_and_no_defect_in_it() -> None:
    rng = np.random.default_rng(3)
    for _ in range(40):
        pixels, mask = sample_tile(rng, 96, defects=2, edge_probability=1)
        side = 0 if pixels[:, 0].mean() < pixels[:, -1].mean() else -1
        assert pixels[:, side].mean() < 25
        assert not mask[:, side].any()


@pytest.mark.parametrize(("size_px", "defects"), [(16, None), (64, -1)])
def test_impossible_tiles_are_refused(size_px: int, defects: int | None) -> None:
    with pytest.raises(ConfigError, match=r"16 px|-1 defects"):
        sample_tile(np.random.default_rng(0), size_px, defects=defects)

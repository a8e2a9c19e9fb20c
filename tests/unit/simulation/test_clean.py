import itertools

import numpy as np
import pytest

from stripscan.simulation.clean import clean_tile_count, clean_tiles


@pytest.mark.parametrize(("area_m2", "tiles"), [(0.0, 0), (0.0058, 1), (0.0060, 2), (5.0, 848)])
def test_tiles_cover_the_area_that_is_asked_for(area_m2, tiles):
    """A tile of 256 px at 0.3 mm is 0.005898 m²."""
    assert clean_tile_count(area_m2, mm_per_px=0.3) == tiles


def test_the_metal_is_the_same_each_time_and_no_two_tiles_are():
    first, again = list(clean_tiles(3)), list(clean_tiles(4))

    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=False))
    assert not any(np.array_equal(a, b) for a, b in itertools.combinations(again, 2))
    assert {(tile.shape, tile.dtype) for tile in first} == {((256, 256), np.dtype(np.uint8))}

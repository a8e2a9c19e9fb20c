import pytest

from stripscan.contract.errors import ConfigError
from stripscan.contract.tiling import TileGrid


def test_a_camera_of_2048_px():
    grid = TileGrid(width_px=2048, tile_px=256, halo_px=32)
    assert grid.core_px == 192
    assert grid.columns == 11
    assert grid.padded_width_px == 11 * 192 + 64
    assert list(grid.column_starts())[:2] == [0, 192]


@pytest.mark.parametrize(
    ("width_px", "tile_px", "halo_px", "told"),
    [
        (100, 0, 0, "tile_px is 0"),
        (100, -32, 0, "multiple of 32 px"),
        (100, 250, 0, "tile_px is 250"),
        (100, 64, 32, "from 0 to 31 px"),
        (100, 64, -1, "halo_px is -1"),
        (0, 64, 0, "0 px wide"),
    ],
)
def test_an_impossible_grid_says_what_to_change(width_px, tile_px, halo_px, told):
    with pytest.raises(ConfigError, match=told):
        TileGrid(width_px=width_px, tile_px=tile_px, halo_px=halo_px)

"""The grid of overlapping tiles, anchored to the coil and not to blocks.

Each tile is read with a halo on all sides and only its core is kept, so the cores cover every
pixel exactly once, and neither the size of a block nor its place changes a mask.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from stripscan.contract.errors import ConfigError
from stripscan.contract.graph import SIZE_MULTIPLE_PX


@dataclass(frozen=True, slots=True, kw_only=True)
class TileGrid:
    """Square tiles over a strip image of known width.

    Attributes:
        width_px: Width of the camera's image.
        tile_px: Side of a tile, a multiple of 32.
        halo_px: Context on each side of a core; at least the model's effective reach for masks
            that do not depend on the grid.

    Raises:
        ConfigError: The tile is no multiple of 32, or the halo leaves no core.
    """

    width_px: int
    tile_px: int
    halo_px: int

    def __post_init__(self) -> None:
        if self.tile_px < SIZE_MULTIPLE_PX or self.tile_px % SIZE_MULTIPLE_PX:
            raise ConfigError(
                f"tile_px is {self.tile_px}: make it a multiple of {SIZE_MULTIPLE_PX} px"
            )
        if not 0 <= 2 * self.halo_px < self.tile_px:
            raise ConfigError(
                f"halo_px is {self.halo_px}: it must be from 0 to {self.tile_px // 2 - 1} px "
                f"for tile_px {self.tile_px}"
            )
        if self.width_px < 1:
            raise ConfigError(f"the image is {self.width_px} px wide: it needs at least 1 px")

    @property
    def core_px(self) -> int:
        """Side of the part of a tile that is kept, in pixels: the step of the grid."""
        return self.tile_px - 2 * self.halo_px

    @property
    def columns(self) -> int:
        """How many tiles lie side by side."""
        return -(-self.width_px // self.core_px)

    @property
    def padded_width_px(self) -> int:
        """Width that all tiles of a row read, halo and fill on the right included."""
        return self.columns * self.core_px + 2 * self.halo_px

    def column_starts(self) -> Iterator[int]:
        """Yield the first column of each tile in the image padded by ``halo_px`` on the left."""
        for column in range(self.columns):
            yield column * self.core_px

"""Blocks that show no metal: dark, blown out, constant, or a copy of the one before.

A camera that lost its signal often goes on delivering. What such blocks cover is unknown, never
clean.
"""

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.block import Block

DARK_GREY = 24
"""Below this grey value nothing is lit."""

BLOWN_GREY = 254
"""From this grey value on the sensor is saturated."""

_SUSPECT_SHARE = 0.99
_STEP_PX = 8


class BlockTrust:
    """Tells for each block why it cannot be trusted, if so."""

    def __init__(self) -> None:
        self._last: NDArray[np.uint8] | None = None

    def doubt(self, block: Block) -> str:
        """Return why the block shows no metal, or an empty string.

        Args:
            block: The next block of the same camera.
        """
        repeated = self._last is not None and np.array_equal(self._last, block.pixels)
        self._last = block.pixels
        sparse = block.pixels[::_STEP_PX, ::_STEP_PX]
        if np.mean(sparse < DARK_GREY) >= _SUSPECT_SHARE:
            return "dark image"
        if np.mean(sparse >= BLOWN_GREY) >= _SUSPECT_SHARE:
            return "overexposed image"
        if sparse.min() == sparse.max() and block.pixels.min() == block.pixels.max():
            return "constant image"
        return "repeated image" if repeated else ""

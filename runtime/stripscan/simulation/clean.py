"""Simulated metal without a defect, to count false alarms on."""

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stripscan.simulation.tiles import sample_tile

CLEAN_TILE_PX: Final = 256
_SEED: Final = (40_993, 1)  # no seed that training draws its tiles from


def clean_tile_count(area_m2: float, *, mm_per_px: float) -> int:
    """Return how many tiles cover at least an area in m²."""
    return math.ceil(area_m2 * 1e6 / (CLEAN_TILE_PX * mm_per_px) ** 2)


def clean_tiles(count: int) -> Iterator[NDArray[np.uint8]]:
    """Yield tiles of clean metal, always the same, uint8 ``[256, 256]``.

    A few show the strip's edge and the dark beside it, which belong to what a camera sees.
    """
    rng = np.random.default_rng(_SEED)
    for _ in range(count):
        yield sample_tile(rng, CLEAN_TILE_PX, defects=0)[0]

"""Single images through a model: padded where small, tiled where large."""

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.block import Block
from stripscan.contract.graph import SIZE_MULTIPLE_PX
from stripscan.contract.tiling import TileGrid
from stripscan.runtime.bands import Band, BandBuilder
from stripscan.runtime.engines.base import Engine
from stripscan.runtime.segment import Segmenter

WHOLE_PX = 1024
"""Up to this side an image is inferred in one piece."""

_HALO_PX = 64


def segment_image(
    engine: Engine, image: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the mask and the scores of one image.

    Args:
        engine: What runs the model.
        image: uint8 ``[H, W]``, 0–255.

    Returns:
        Class ids and scores, both uint8 ``[H, W]``.

    Raises:
        EngineError: Inference failed.
    """
    height, width = image.shape
    if max(height, width) > WHOLE_PX:
        return _tiled(engine, image)
    sides = ((0, -height % SIZE_MULTIPLE_PX), (0, -width % SIZE_MULTIPLE_PX))
    mask, score = engine.infer(np.pad(image, sides, mode="reflect")[None])
    return mask[0, :height, :width], score[0, :height, :width]


def _tiled(engine: Engine, image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    grid = TileGrid(width_px=image.shape[1], tile_px=WHOLE_PX, halo_px=_HALO_PX)
    builder, segmenter = BandBuilder(grid), Segmenter(engine, grid, batch=1)
    block = Block(
        pixels=image, camera="image", first_line=0, along_m=0.0, mm_per_line=1.0, host_ns=0
    )
    bands: list[Band] = [*builder.push(block), *builder.flush()]
    parts = [segmenter.segment(band) for band in bands]
    return np.concatenate([m for m, _ in parts]), np.concatenate([s for _, s in parts])

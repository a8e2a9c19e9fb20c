"""A band through the engine: cut into overlapping tiles, inferred in batches, put together."""

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.tiling import TileGrid
from stripscan.runtime.bands import Band
from stripscan.runtime.engines.base import Engine


class Segmenter:
    """Runs the model over bands.

    Args:
        engine: What runs the model.
        grid: The grid of tiles.
        batch: Most tiles in one call.
    """

    def __init__(self, engine: Engine, grid: TileGrid, *, batch: int) -> None:
        self._engine = engine
        self._grid = grid
        self._batch = batch

    def segment(self, band: Band) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return class ids and scores of the band's core, both uint8 ``[lines, width]``.

        Raises:
            EngineError: Inference failed.
        """
        grid = self._grid
        right = grid.padded_width_px - grid.width_px - grid.halo_px
        padded = np.pad(band.pixels, ((0, 0), (grid.halo_px, right)), mode="reflect")
        tiles = np.stack([padded[:, x : x + grid.tile_px] for x in grid.column_starts()])
        lines = slice(grid.halo_px, grid.halo_px + band.core.lines)
        kept = slice(grid.halo_px, grid.halo_px + grid.core_px)
        masks: list[NDArray[np.uint8]] = []
        scores: list[NDArray[np.uint8]] = []
        for start in range(0, len(tiles), self._batch):
            mask, score = self._engine.infer(tiles[start : start + self._batch])
            masks.extend(mask[:, lines, kept])
            scores.extend(score[:, lines, kept])
        width = grid.width_px
        return (
            np.ascontiguousarray(np.concatenate(masks, axis=1)[:, :width]),
            np.ascontiguousarray(np.concatenate(scores, axis=1)[:, :width]),
        )

"""Bands through the engine: cut into overlapping tiles, inferred in batches, put together."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from stripscan.contract.tiling import TileGrid
from stripscan.runtime.bands import Band
from stripscan.runtime.engines.base import Engine

Pixels = NDArray[np.uint8]
Segmented = tuple[Pixels, Pixels]
"""Class ids and scores of a band's core, both uint8 ``[lines, width]``."""


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

    def segment(self, band: Band) -> Segmented:
        """Return class ids and scores of the band's core.

        Raises:
            EngineError: Inference failed.
        """
        (segmented,) = self.segment_chosen([band], [np.ones(self._grid.columns, np.bool_)])
        return segmented

    def segment_chosen(
        self, bands: Sequence[Band], chosen: Sequence[NDArray[np.bool_]]
    ) -> list[Segmented]:
        """Return class ids and scores of bands of which not all tiles are inferred.

        Args:
            bands: The bands; their tiles share batches.
            chosen: bool ``[columns]`` of each: the tiles that are inferred. The others are
                background, with a score of 0.

        Raises:
            EngineError: Inference failed.
        """
        grid, width = self._grid, self._grid.width_px
        tiles: list[Pixels] = []
        targets: list[tuple[int, int]] = []
        for number, (band, wanted) in enumerate(zip(bands, chosen, strict=True)):
            columns = np.flatnonzero(wanted).tolist()
            if columns:
                starts = list(grid.column_starts())
                padded = self._padded(band.pixels)
                tiles += [padded[:, starts[c] : starts[c] + grid.tile_px] for c in columns]
                targets += [(number, starts[c]) for c in columns]
        segmented = [
            (
                np.zeros((band.core.lines, width), np.uint8),
                np.zeros((band.core.lines, width), np.uint8),
            )
            for band in bands
        ]
        for first in range(0, len(tiles), self._batch):
            part = slice(first, first + self._batch)
            mask, score = self._engine.infer(np.stack(tiles[part]))
            for index, (number, left) in enumerate(targets[part]):
                self._put(mask[index], segmented[number][0], left)
                self._put(score[index], segmented[number][1], left)
        return segmented

    def _padded(self, pixels: Pixels) -> Pixels:
        grid = self._grid
        right = grid.padded_width_px - grid.width_px - grid.halo_px
        border = cv2.BORDER_REFLECT_101
        padded = cv2.copyMakeBorder(pixels, 0, 0, grid.halo_px, right, border)
        return np.asarray(padded, np.uint8)

    def _put(self, tile: Pixels, whole: Pixels, left: int) -> None:
        """Put what is kept of a tile into its place."""
        halo, lines = self._grid.halo_px, whole.shape[0]
        place = whole[:, left : left + self._grid.core_px]
        place[:] = tile[halo : halo + lines, halo : halo + place.shape[1]]

"""A small network and a small data set, for tests of training."""

from pathlib import Path

import cv2
import numpy as np

from stripscan.dataset.neu import find_samples
from stripscan.dataset.samples import Sample
from stripscan.simulation.tiles import sample_tile
from stripscan.train.config import (
    CompactConfig,
    DataConfig,
    InputConfig,
    OptimiserConfig,
    TrainConfig,
)

TINY = CompactConfig(stem=4, widths=(8, 8, 12, 12), depths=(1, 1, 1, 1), expand=2, pyramid=8)


def tiny_config(**changes: object) -> TrainConfig:
    fields: dict[str, object] = {
        "recipe": "tiny",
        "model": TINY,
        "input": InputConfig(crop_px=64),
        "optimiser": OptimiserConfig(ema_decay=0.5),
        "data": DataConfig(batch=4, simulated=0.5, workers=0),
        "epochs": 2,
        "clean_m2": 0.05,
    }
    return TrainConfig.model_validate(fields | changes)


def draw_tiles(folder: Path, count: int, *, size_px: int = 96, seed: int = 0) -> list[Sample]:
    """Write tiles with defects as images/ and masks/ and return them as samples."""
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for index in range(count):
        rng = np.random.default_rng((seed, index))
        image, mask = sample_tile(rng, size_px, edge_probability=0)
        cv2.imwrite(str(folder / "images" / f"tile_{index:02}.png"), image)
        cv2.imwrite(str(folder / "masks" / f"tile_{index:02}.png"), mask)
    return find_samples(folder)

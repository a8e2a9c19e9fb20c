"""The tiles that an exported file is checked and calibrated on."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.classes import CLASS_ID
from stripscan.dataset.images import read_mono
from stripscan.dataset.samples import Sample, classes_of
from stripscan.simulation.tiles import sample_tile

PARITY_TILES: Final = 64
CALIBRATION_TILES: Final = 96
"""Real ones; a third as many simulated ones join them, or as many stand in for them."""

Tile = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckTiles:
    """What the parity gate looks at.

    Attributes:
        natural: Metal with and without defects.
        adversarial: What no camera should show, and what betrays wrong preprocessing.
        seed: Seed of the choice.
    """

    natural: tuple[Tile, ...]
    adversarial: tuple[Tile, ...]
    seed: int

    def __len__(self) -> int:
        """Return how many tiles there are."""
        return len(self.natural) + len(self.adversarial)


def check_tiles(
    samples: Sequence[Sample], tile_px: int, *, seed: int, count: int = PARITY_TILES
) -> CheckTiles:
    """Return real tiles of every class, or simulated ones where there are no samples."""
    natural = real_tiles(samples, tile_px, seed=seed, count=count)
    return CheckTiles(
        natural=tuple(natural or simulated_tiles(count, tile_px, seed=seed)),
        adversarial=tuple(adversarial_tiles(tile_px)),
        seed=seed,
    )


def calibration_tiles(
    samples: Sequence[Sample], tile_px: int, *, seed: int, count: int = CALIBRATION_TILES
) -> list[Tile]:
    """Return tiles to measure ranges on, of images that were trained on, and simulated ones.

    Simulated metal is wider, darker and brighter than a data set, as a mill's is.
    """
    real = real_tiles(samples, tile_px, seed=seed, count=count)
    simulated = simulated_tiles(count // 3 if real else count, tile_px, seed=seed)
    return [*real, *simulated]


def real_tiles(samples: Sequence[Sample], tile_px: int, *, seed: int, count: int) -> list[Tile]:
    """Return crops of images, each class in turn; small images are mirrored at their border.

    Args:
        samples: Where to take them from.
        tile_px: Side of a tile in px.
        seed: Of the choice.
        count: How many at most.
    """
    rng = np.random.default_rng(seed)
    shuffled = [samples[i] for i in rng.permutation(len(samples))]
    return [_tile(rng, read_mono(sample.image), tile_px) for sample in _in_turn(shuffled, count)]


def _in_turn(samples: Sequence[Sample], count: int) -> list[Sample]:
    """Return samples, one of each class in turn as long as a class has any left."""
    waiting: dict[str, list[Sample]] = {name: [] for name in CLASS_ID}
    for sample in samples:
        for name in classes_of(sample):
            waiting[name].append(sample)
    chosen: dict[str, Sample] = {}
    while len(chosen) < count and any(waiting.values()):
        for queue in waiting.values():
            while queue and queue[-1].name in chosen:
                queue.pop()
            if queue and len(chosen) < count:
                sample = queue.pop()
                chosen[sample.name] = sample
    return list(chosen.values())


def _tile(rng: np.random.Generator, image: Tile, tile_px: int) -> Tile:
    short = [(0, max(tile_px - side, 0)) for side in image.shape]
    padded = np.pad(image, short, mode="symmetric")
    top, left = (int(rng.integers(0, side - tile_px + 1)) for side in padded.shape)
    return np.ascontiguousarray(padded[top : top + tile_px, left : left + tile_px])


def simulated_tiles(count: int, tile_px: int, *, seed: int) -> list[Tile]:
    """Return tiles of simulated strip, most of them with defects."""
    rng = np.random.default_rng(seed)
    return [sample_tile(rng, tile_px)[0] for _ in range(count)]


def adversarial_tiles(tile_px: int) -> list[Tile]:
    """Return tiles that betray wrong preprocessing: constant, saturated, noise, ramps, edges."""
    rng = np.random.default_rng(0)
    ramp = np.tile(np.linspace(0, 255, tile_px).astype(np.uint8), (tile_px, 1))
    half = np.zeros((tile_px, tile_px), np.uint8)
    half[:, tile_px // 2 :] = 255
    return [
        *(np.full((tile_px, tile_px), grey, np.uint8) for grey in (0, 1, 127, 128, 254, 255)),
        rng.integers(0, 256, (tile_px, tile_px), dtype=np.uint8),
        ramp,
        np.ascontiguousarray(ramp.T),
        half,
    ]


def pixels_digest(tiles: Sequence[Tile]) -> str:
    """Return a sha256 over the pixels of tiles, 64 hexadecimal digits."""
    found = hashlib.sha256()
    for tile in tiles:
        found.update(tile.tobytes())
    return found.hexdigest()

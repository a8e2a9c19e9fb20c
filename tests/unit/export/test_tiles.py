import cv2
import numpy as np
import pytest

from stripscan.dataset.samples import LabelKind, Sample
from stripscan.export.tiles import (
    adversarial_tiles,
    calibration_tiles,
    check_tiles,
    pixels_digest,
    real_tiles,
)

CLASSES = ("crazing", "inclusion", "patches", "pitted_surface", "rolled-in_scale", "scratches")


@pytest.fixture
def samples(tmp_path):
    """Twelve images, two of each class; the grey is 10 times the number of the class, or 1 more."""
    found = []
    for number, name in enumerate(CLASSES * 2):
        image, label = tmp_path / f"{number}.png", tmp_path / f"{number}_mask.png"
        class_id = CLASSES.index(name) + 1
        cv2.imwrite(str(image), np.full((40, 100), 10 * class_id + number // 6, np.uint8))
        mask = np.zeros((40, 100), np.uint8)
        mask[:4] = class_id
        cv2.imwrite(str(label), mask)
        found.append(
            Sample(
                name=str(number),
                dataset="drawn",
                image=image,
                label=label,
                kind=LabelKind.MASK,
                classes_known=frozenset({name}),
            )
        )
    return found


def test_every_class_is_seen(samples) -> None:
    tiles = real_tiles(samples, 64, seed=1, count=6)
    assert sorted(int(tile[0, 0]) // 10 for tile in tiles) == [1, 2, 3, 4, 5, 6]
    assert all(tile.shape == (64, 64) and tile.dtype == np.uint8 for tile in tiles)


def test_there_are_no_more_than_images(samples) -> None:
    assert len(real_tiles(samples, 32, seed=1, count=100)) == 12


def test_a_seed_gives_the_same_tiles(samples) -> None:
    first, again, other = (real_tiles(samples, 32, seed=s, count=5) for s in (1, 1, 2))
    assert pixels_digest(first) == pixels_digest(again) != pixels_digest(other)


def test_without_samples_metal_is_simulated() -> None:
    tiles = check_tiles([], 64, seed=3, count=5)
    assert (len(tiles.natural), len(tiles.adversarial), len(tiles)) == (5, 10, 15)
    assert len(calibration_tiles([], 64, seed=3, count=6)) == 6


def test_simulated_metal_joins_real_metal_for_calibration(samples) -> None:
    assert len(calibration_tiles(samples, 64, seed=3, count=6)) == 8


def test_adversarial_tiles_cover_the_range() -> None:
    tiles = adversarial_tiles(64)
    assert all(tile.shape == (64, 64) and tile.dtype == np.uint8 for tile in tiles)
    assert {int(tile[0, 0]) for tile in tiles if tile.min() == tile.max()} >= {0, 255}
    assert any(len(np.unique(tile)) > 60 for tile in tiles)

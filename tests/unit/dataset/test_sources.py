from pathlib import Path

import cv2
import numpy as np
import pytest

from stripscan.dataset.samples import LabelKind, Sample
from stripscan.dataset.sources import (
    ORIENTATIONS,
    group_sources,
    match_sources,
    same_orientation,
    turn,
)


def metal(seed: int, size: int = 200) -> np.ndarray:
    """Grain with a few blots, as a camera sees it."""
    rng = np.random.default_rng(seed)
    grain = cv2.GaussianBlur(rng.normal(0, 60, (size, size)).astype(np.float32), (0, 0), 1.5)
    blots = cv2.GaussianBlur(rng.normal(0, 900, (size, size)).astype(np.float32), (0, 0), 12)
    return np.clip(120 + grain + blots, 0, 255).astype(np.uint8)


def store(folder: Path, name: str, image: np.ndarray, *, dataset: str = "x") -> Sample:
    path = folder / name
    cv2.imwrite(str(path), image)
    return Sample(
        name=f"{dataset}/{path.stem}",
        dataset=dataset,
        image=path,
        label=None,
        kind=LabelKind.MASK,
    )


def test_all_eight_orientations_are_one_picture(tmp_path):
    turned = [np.rot90(m, k) for k in range(4) for m in (metal(1), metal(1)[:, ::-1])]
    samples = [store(tmp_path, f"a{i}.jpg", image) for i, image in enumerate(turned)]
    samples.append(store(tmp_path, "other.jpg", metal(2)))

    assert match_sources(samples).picture.tolist() == [0] * 8 + [1]


def test_brightness_and_contrast_do_not_hide_a_twin(tmp_path):
    image = metal(1)
    darker = (image * 0.5 + 20).astype(np.uint8)
    samples = [store(tmp_path, "a.png", image), store(tmp_path, "b.png", darker)]

    assert match_sources(samples).picture.tolist() == [0, 0]


def test_the_same_light_makes_no_twin(tmp_path):
    light = np.linspace(-60, 60, 200)[:, None]
    samples = [
        store(tmp_path, f"{i}.png", np.clip(metal(i) * 0.3 + 90 + light, 0, 255).astype(np.uint8))
        for i in range(4)
    ]

    assert len(set(group_sources(samples).tolist())) == 4


def test_a_composite_joins_its_parts_without_being_one_of_them(tmp_path):
    first, second = metal(1), metal(2)
    composite = np.rot90(np.hstack([first[:, :100], second[:, 100:]]))
    samples = [
        store(tmp_path, "first.png", first),
        store(tmp_path, "second.png", second),
        store(tmp_path, "both.png", composite),
        store(tmp_path, "third.png", metal(3)),
    ]

    match = match_sources(samples)

    assert match.picture.tolist() == [0, 1, 2, 3]
    assert match.group.tolist() == [0, 0, 0, 1]
    assert match.shared.tolist() == [[0, 2], [1, 2]]


def test_flat_pictures_are_twins_only_when_equal(tmp_path):
    values = (50, 90, 50)
    samples = [
        store(tmp_path, f"{i}.png", np.full((40, 60), v, np.uint8)) for i, v in enumerate(values)
    ]

    assert group_sources(samples).tolist() == [0, 1, 0]


def test_the_names_of_saliency_and_detection_belong_together(tmp_path):
    samples = [
        store(tmp_path, "In_7.png", metal(1), dataset="sd-saliency-900"),
        store(tmp_path, "inclusion_7.png", metal(2), dataset="neu-det"),
        store(tmp_path, "patches_7.png", metal(3), dataset="neu-det"),
    ]

    assert match_sources(samples).picture.tolist() == [0, 0, 1]


@pytest.mark.parametrize("size", [64, 300])
def test_other_sizes_are_compared_too(tmp_path, size):
    samples = [
        store(tmp_path, "a.png", metal(1, size)),
        store(tmp_path, "b.png", np.rot90(metal(1, size), 3)),
        store(tmp_path, "c.png", metal(2, size)),
    ]

    assert group_sources(samples).tolist() == [0, 0, 1]


def test_symmetric_and_equal_pictures_share_no_metal_with_themselves(tmp_path):
    half = metal(1)[:, :100]
    symmetric = np.hstack([half, half[:, ::-1]])
    samples = [store(tmp_path, f"{i}.png", symmetric) for i in range(2)]

    match = match_sources(samples)

    assert match.picture.tolist() == [0, 0]
    assert match.shared.shape == (0, 2)


def test_the_eight_orientations_differ_and_hold_the_same_pixels():
    pixels = np.arange(6, dtype=np.uint8).reshape(2, 3)

    turned = [turn(pixels, orientation) for orientation in range(ORIENTATIONS)]

    assert turned[1].tolist() == [[2, 1, 0], [5, 4, 3]]
    assert turned[2].tolist() == [[2, 5], [1, 4], [0, 3]]
    assert len({(t.shape, t.tobytes()) for t in turned}) == ORIENTATIONS


def test_orientation_is_told_apart():
    image = metal(1)

    assert same_orientation(image, image) == pytest.approx(1.0, abs=1e-4)
    assert same_orientation(image, np.rot90(image)) < 0.5

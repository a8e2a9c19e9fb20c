import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from stripscan.contract.errors import DataError
from stripscan.dataset import nearest
from stripscan.dataset.nearest import class_mask, find_nearest, nearest_masks
from stripscan.dataset.samples import LabelKind, Sample
from stripscan.dataset.sources import ORIENTATIONS, turn

BOXES = """\
<annotation>
  <object><name>scratches</name>
    <bndbox><xmin>21</xmin><ymin>11</ymin><xmax>30</xmax><ymax>20</ymax></bndbox></object>
  <object><name>patches</name>
    <bndbox><xmin>11</xmin><ymin>1</ymin><xmax>60</xmax><ymax>40</ymax></bndbox></object>
</annotation>
"""


def metal(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    blots = cv2.GaussianBlur(rng.normal(0, 900, (200, 200)).astype(np.float32), (0, 0), 9)
    return np.clip(120 + blots + rng.normal(0, 5, (200, 200)), 0, 255).astype(np.uint8)


def blob(seed: int) -> np.ndarray:
    """A mask that is alike in no two orientations."""
    mask = np.zeros((200, 200), np.uint8)
    mask[10 : 40 + 10 * seed, 20:50] = 2
    mask[120:150, 60:180] = 6
    return mask


def store(folder: Path, name: str, image: np.ndarray, mask: np.ndarray | None) -> Sample:
    cv2.imwrite(str(folder / f"{name}.png"), image)
    label = None
    if mask is not None:
        label = folder / f"{name}-mask.png"
        cv2.imwrite(str(label), mask)
    return Sample(
        name=f"x/{name}",
        dataset="x",
        image=folder / f"{name}.png",
        label=label,
        kind=LabelKind.MASK,
    )


@pytest.fixture
def train(tmp_path):
    return [store(tmp_path, f"train{i}", metal(i), blob(i)) for i in range(5)]


def test_a_planted_twin_gives_its_mask_in_the_orientation_of_the_test_picture(train, tmp_path):
    test = [store(tmp_path, f"test{o}", turn(metal(o % 5), o), None) for o in range(ORIENTATIONS)]

    copied = list(nearest_masks(train, test))

    assert [sample for sample, _ in copied] == test
    for orientation, (_, mask) in enumerate(copied):
        assert mask.dtype == np.uint8
        assert np.array_equal(mask, turn(blob(orientation % 5), orientation))


def test_neither_the_order_nor_the_size_of_the_chunks_decides(train, tmp_path, monkeypatch):
    test = [store(tmp_path, f"test{i}", turn(metal(i + 2), i), None) for i in range(5)]
    expected = find_nearest(train, test)

    monkeypatch.setattr(nearest, "_CHUNK", 2)
    found = find_nearest(train[::-1], test)

    assert [(f.train, f.orientation) for f in found] == [(f.train, f.orientation) for f in expected]
    assert [f.correlation for f in found] == pytest.approx(
        [f.correlation for f in expected], abs=1e-5
    )


def test_correlation_tells_a_twin_from_the_least_bad_one(train, tmp_path):
    test = [
        store(tmp_path, "twin", (metal(3)[::-1] * 0.5 + 30).astype(np.uint8), None),
        store(tmp_path, "other", metal(99), None),
    ]

    twin, other = find_nearest(train, test)

    assert twin.train == train[3]
    assert twin.correlation > 0.97
    assert other.correlation < 0.7


def test_a_mask_takes_the_size_of_the_test_picture(train, tmp_path):
    small = cv2.resize(np.rot90(metal(1)), (100, 50), interpolation=cv2.INTER_AREA)

    ((_, mask),) = nearest_masks(train, [store(tmp_path, "small", small, None)])

    assert np.array_equal(mask, np.rot90(blob(1))[2::4, 1::2])


def test_pictures_without_a_label_are_not_copied_from(train, tmp_path):
    bare = store(tmp_path, "bare", metal(7), None)

    (found,) = find_nearest([*train, bare], [bare])

    assert found.train in train
    with pytest.raises(DataError, match="no training picture has a label"):
        nearest_masks([bare], train)


def test_the_smallest_of_overlapping_boxes_wins(tmp_path):
    plain = store(tmp_path, "boxed", metal(1), None)
    (tmp_path / "boxed.xml").write_text(BOXES)
    sample = dataclasses.replace(plain, label=tmp_path / "boxed.xml", kind=LabelKind.BOXES)
    expected = np.zeros((200, 200), np.uint8)
    expected[0:40, 10:60] = 3
    expected[10:20, 20:30] = 6

    assert np.array_equal(class_mask(sample), expected)


def test_what_nobody_labelled_is_background(tmp_path):
    mask = blob(1)
    mask[:, 100:] = 255

    copied = class_mask(store(tmp_path, "partly", metal(1), mask))

    assert np.array_equal(copied, np.where(mask == 255, 0, mask))


def test_nothing_to_test_is_no_error(train):
    assert list(nearest_masks(train, [])) == []

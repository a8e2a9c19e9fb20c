import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from stripscan.contract.errors import DataError
from stripscan.dataset.samples import LabelKind, Sample, classes_of, load

BOX = (
    "<object><name>{}</name><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax>"
    "<ymax>{}</ymax></bndbox></object>"
)


def image(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.full((6, 8), 50, np.uint8))
    return path


def boxes(tmp_path: Path, *rows: tuple) -> Sample:
    label = tmp_path / "a.xml"
    label.write_text(f"<annotation>{''.join(BOX.format(*row) for row in rows)}</annotation>")
    return Sample(name="x/a", dataset="x", image=image(tmp_path), label=label, kind=LabelKind.BOXES)


def masked(tmp_path: Path, mask: np.ndarray, **options) -> Sample:
    label = tmp_path / "a_mask.png"
    cv2.imwrite(str(label), mask)
    return Sample(
        name="x/a",
        dataset="x",
        image=image(tmp_path),
        label=label,
        kind=LabelKind.MASK,
        **options,
    )


def test_boxes_are_filled_and_may_overlap(tmp_path):
    sample = boxes(tmp_path, ("inclusion", 1, 1, 3, 2), ("scratches", 3, 2, 8, 6))

    labelled = load(sample)

    assert labelled.image.shape == (6, 8)
    assert labelled.boxes is not None
    assert labelled.boxes.shape == labelled.known.shape == (6, 6, 8)
    assert labelled.boxes.sum(axis=(1, 2)).tolist() == [0, 6, 0, 0, 0, 30]
    assert labelled.boxes[1, 1, 2]
    assert labelled.boxes[5, 1, 2]


def test_a_box_is_the_mask_of_a_texture_but_hides_that_of_a_compact_defect(tmp_path):
    sample = boxes(tmp_path, ("crazing", 1, 1, 3, 2), ("scratches", 3, 2, 8, 6))

    labelled = load(sample)

    assert labelled.target.sum(axis=(1, 2)).tolist() == [6, 0, 0, 0, 0, 0]
    assert (~labelled.known).sum(axis=(1, 2)).tolist() == [0, 0, 0, 0, 0, 30]


def test_boxes_may_come_beside_a_mask(tmp_path):
    second = boxes(tmp_path, ("inclusion", 1, 1, 3, 2)).label
    sample = masked(tmp_path, np.full((6, 8), 2, np.uint8), boxes=second)

    labelled = load(sample)

    assert labelled.boxes is not None
    assert labelled.boxes[1].sum() == 6
    assert labelled.target[1].all()


def test_a_box_beyond_the_picture_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"reaches 9 x 3 px.*8 x 6 px"):
        load(boxes(tmp_path, ("inclusion", 1, 1, 9, 3)))


def test_mask_values_become_class_ids(tmp_path):
    mask = np.zeros((6, 8), np.uint8)
    mask[0, :3] = 1
    mask[1, :2] = 3
    sample = masked(tmp_path, mask, mask_ids=((1, 2), (2, 3), (3, 6)))

    assert load(sample).target.sum(axis=(1, 2)).tolist() == [0, 3, 0, 0, 0, 2]
    assert classes_of(sample) == {"inclusion", "scratches"}


def test_255_is_unlabelled(tmp_path):
    mask = np.zeros((6, 8), np.uint8)
    mask[2] = 255

    labelled = load(masked(tmp_path, mask))

    assert not labelled.known[:, 2].any()
    assert labelled.known[:, 3].all()
    assert not labelled.target.any()


def test_255_is_a_class_where_the_data_set_says_so(tmp_path):
    mask = np.zeros((6, 8), np.uint8)
    mask[2] = 255

    labelled = load(masked(tmp_path, mask, mask_ids=((255, 3),)))

    assert labelled.target[2, 2].all()
    assert labelled.known.all()


def test_classes_that_the_label_does_not_cover_are_unknown(tmp_path):
    sample = masked(tmp_path, np.zeros((6, 8), np.uint8), classes_known=frozenset({"patches"}))

    assert load(sample).known.any(axis=(1, 2)).tolist() == [False, False, True, *[False] * 3]


def test_without_a_label_nothing_is_known(tmp_path):
    sample = Sample(name="x/a", dataset="x", image=image(tmp_path), label=None, kind=LabelKind.MASK)

    assert not load(sample).known.any()
    assert classes_of(sample) == frozenset()


def test_strange_values_are_named(tmp_path):
    with pytest.raises(DataError, match=r"a_mask\.png.*\[7, 9\]"):
        load(masked(tmp_path, np.array([[7, 9, 0, 1, 1, 1, 1, 1]] * 6, np.uint8)))


def test_a_mask_of_another_size_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"mask has 4 x 5 px.*8 x 6 px"):
        load(masked(tmp_path, np.zeros((5, 4), np.uint8)))


def test_a_box_of_which_nothing_is_said_is_unknown_to_masks_and_boxes(tmp_path):
    label = boxes(tmp_path, ("crazing", 1, 1, 3, 2), ("unlabelled", 5, 4, 8, 6))

    labelled = load(label)

    assert labelled.boxes is not None
    assert labelled.boxes_known is not None
    assert not labelled.boxes[:, 4].any()
    assert not labelled.boxes_known[:, 4, 6].any()
    assert not labelled.known[:, 4, 6].any()
    assert labelled.boxes_known[:, 0, 0].all()


def test_boxes_say_nothing_of_classes_that_they_do_not_label(tmp_path):
    sample = dataclasses.replace(
        boxes(tmp_path, ("crazing", 1, 1, 3, 2)), classes_known=frozenset({"crazing"})
    )

    labelled = load(sample)

    assert labelled.boxes_known is not None
    assert labelled.boxes_known.any(axis=(1, 2)).tolist() == [True, *[False] * 5]

import json
from pathlib import Path

import numpy as np
import pytest

from stripscan.dataset.evaluation import Evaluator
from stripscan.dataset.metrics import one_hot
from stripscan.dataset.samples import LabelKind, Labelled, Sample


def sample(kind: LabelKind, label: Path | None = Path("a.png")) -> Sample:
    return Sample(name="x/a", dataset="x", image=Path("a.png"), label=label, kind=kind)


def truth(rows: list[list[int]], *, boxes: bool = False) -> Labelled:
    mask = np.array(rows, np.uint8)
    target = one_hot(mask)
    return Labelled(
        image=mask,
        target=target,
        known=np.ones((6, *mask.shape), bool),
        boxes=target if boxes else None,
    )


def test_boxes_and_pixel_masks_are_scored_apart():
    evaluator = Evaluator()
    evaluator.add(
        sample(LabelKind.BOXES),
        truth([[5, 5, 5], [5, 5, 5]], boxes=True),
        np.array([[5, 0, 0], [0, 5, 5]], np.uint8),
    )
    evaluator.add(
        sample(LabelKind.MASK),
        truth([[2, 2, 0], [0, 0, 0]]),
        np.array([[2, 0, 0], [0, 0, 5]], np.uint8),
    )

    result = evaluator.result()

    assert result.dice == pytest.approx(6 / 9)
    assert result.dice_boxed == 1.0
    assert result.dice_pixel == pytest.approx(2 / 3)
    assert result.miou_pixel == pytest.approx(1 / 2)
    assert result.miou_pixel_with_background == pytest.approx((1 / 2 + 3 / 5) / 2)
    assert (result.n_images, result.n_images_boxes, result.n_images_pixel) == (2, 1, 1)


def test_a_false_alarm_of_a_boxed_class_counts_on_every_image():
    evaluator = Evaluator()
    evaluator.add(
        sample(LabelKind.BOXES), truth([[5, 5, 5]], boxes=True), np.array([[5, 5, 5]], np.uint8)
    )
    evaluator.add(sample(LabelKind.MASK), truth([[2, 2, 0]]), np.array([[2, 2, 5]], np.uint8))

    scale = evaluator.result().per_class["rolled-in_scale"]

    assert scale.score.precision == pytest.approx(3 / 4)
    assert (scale.n_images, scale.label) == (1, LabelKind.BOXES)


def test_an_image_with_mask_and_boxes_counts_once():
    evaluator = Evaluator()
    evaluator.add(
        sample(LabelKind.MASK),
        truth([[2, 2, 0]], boxes=True),
        np.array([[2, 2, 0]], np.uint8),
    )

    result = evaluator.result()

    assert (result.n_images, result.n_images_boxes, result.n_images_pixel) == (1, 1, 1)
    assert result.dice == result.dice_pixel == 1.0


def test_json_has_null_where_no_image_has_the_label():
    evaluator = Evaluator()
    evaluator.add(sample(LabelKind.MASK), truth([[6, 0]]), np.array([[6, 0]], np.uint8))

    content = json.loads(json.dumps(evaluator.result().to_json(), allow_nan=False))

    assert content["dice"] is None
    assert content["dice_boxed"] is None
    assert content["miou_pixel"] == 1.0
    assert content["per_class"]["scratches"] == {
        "dice": 1.0,
        "iou": 1.0,
        "precision": 1.0,
        "recall": 1.0,
        "n_images": 1,
        "label": "mask",
    }
    assert content["per_class"]["patches"]["dice"] is None


def test_an_image_without_label_cannot_be_scored():
    with pytest.raises(ValueError, match="x/a"):
        Evaluator().add(
            sample(LabelKind.MASK, label=None), truth([[0]]), np.zeros((1, 1), np.uint8)
        )

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from stripscan.contract.errors import DataError
from stripscan.contract.manifest import Evaluation as ManifestEvaluation
from stripscan.dataset.images import pixel_digest
from stripscan.dataset.neu import find_samples
from stripscan.dataset.samples import LabelKind
from stripscan.dataset.scoring.defects import DefectRules
from stripscan.dataset.scoring.evaluation import UNLABELLED_METAL, Evaluator, evaluate, unseen
from stripscan.dataset.scoring.metrics import one_hot
from unit.dataset.scoring.scoring_samples import (
    Rows,
    each_its_own,
    field,
    mask,
    result,
    sample,
    seen,
    truth,
)

BOX_HEADLINES = ("dice", "dice_pos", "dice_neg", "iou", "dice_boxed")


def scored(*images: tuple[LabelKind, Rows, Rows]) -> Evaluator:
    """Return an evaluator that has seen labels and predictions; boxes are labels of their kind."""
    evaluator = Evaluator()
    for number, (kind, label, prediction) in enumerate(images):
        labelled = truth(label, boxes=kind is LabelKind.BOXES)
        evaluator.add(sample(kind, f"x/{number}"), labelled, seen(prediction))
    return evaluator


def test_boxes_and_pixel_masks_are_scored_apart():
    evaluator = scored(
        (LabelKind.BOXES, [[5, 5, 5], [5, 5, 5]], [[5, 0, 0], [0, 5, 5]]),
        (LabelKind.MASK, [[2, 2, 0], [0, 0, 0]], [[2, 0, 0], [0, 0, 5]]),
    )

    figures = result(evaluator).figures

    assert figures["dice"] == figures["dice_pos"] == pytest.approx(6 / 9)
    assert figures["iou"] == pytest.approx(3 / 6)
    assert figures["dice_neg"] is None
    assert figures["dice_boxed"] == 1.0
    assert figures["dice_pixel"] == pytest.approx(2 / 3)
    assert figures["miou_pixel"] == pytest.approx(1 / 2)
    assert figures["miou_pixel_with_background"] == pytest.approx((1 / 2 + 3 / 5) / 2)


def test_images_without_a_labelled_box_are_scored_by_silence():
    evaluator = scored(
        (LabelKind.BOXES, [[5, 5]], [[5, 0]]),
        (LabelKind.BOXES, [[0, 0]], [[0, 0]]),
        (LabelKind.BOXES, [[0, 0]], [[0, 1]]),
    )

    figures = result(evaluator).figures

    assert figures["dice_pos"] == pytest.approx(2 / 3)
    assert figures["dice_neg"] == pytest.approx(1 / 2)
    assert figures["dice"] == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert figures["iou"] == pytest.approx(1 / 2)


def test_dice_is_a_mean_over_images_and_iou_is_pooled():
    evaluator = scored(
        (LabelKind.MASK, [[2, 0, 0, 0]], [[2, 0, 0, 0]]),
        (LabelKind.MASK, [[2, 2, 2, 0]], [[0, 0, 0, 0]]),
    )

    figures = result(evaluator).figures

    assert figures["dice_pixel"] == pytest.approx(0.5)
    assert figures["miou_pixel"] == pytest.approx(1 / 4)


def test_all_classes_are_flattened_in_dice_and_three_of_them_in_dice_pixel():
    evaluator = scored(
        (LabelKind.BOXES, [[2, 5]], [[2, 1]]),
        (LabelKind.MASK, [[2, 5]], [[2, 1]]),
    )

    figures = result(evaluator).figures

    assert figures["dice"] == pytest.approx(0.5)
    assert figures["dice_pixel"] == 1.0


def test_a_class_that_nowhere_occurs_is_left_out_of_the_mean():
    figures = result(scored((LabelKind.MASK, [[2, 0]], [[2, 0]]))).figures

    assert figures["miou_pixel"] == 1.0
    assert figures["per_class.patches.iou"] is None


def test_a_false_alarm_of_a_boxed_class_counts_on_every_image():
    evaluator = scored(
        (LabelKind.BOXES, [[5, 5, 5]], [[5, 5, 5]]), (LabelKind.MASK, [[2, 2, 0]], [[2, 2, 5]])
    )

    scale = result(evaluator).class_row("rolled-in_scale")

    assert scale["precision"] == pytest.approx(3 / 4)
    assert (scale["n_images"], scale["label"]) == (1, "boxes")


def test_a_second_head_answers_for_the_boxes_and_for_nothing_else():
    labelled = truth([[2, 2, 0, 0]], boxes=True)
    only_left = seen([[2, 0, 0, 0]])
    with_head = dataclasses.replace(only_left, boxes=one_hot(mask([[2, 2, 0, 0]])))
    plain, headed = Evaluator(), Evaluator()
    plain.add(sample(), labelled, only_left)
    headed.add(sample(), labelled, with_head)

    of_mask, of_head = result(plain), result(headed)

    assert (of_mask.box_figures_of, of_head.box_figures_of) == ("mask", "box head")
    assert (of_mask.figures["dice"], of_head.figures["dice"]) == (pytest.approx(2 / 3), 1.0)
    others = {name for name in of_mask.figures if name not in BOX_HEADLINES}
    assert all(of_mask.figures[name] == of_head.figures[name] for name in others)
    assert of_mask.figures["dice_boxed"] == of_head.figures["dice_boxed"]


def test_defects_beside_the_pixels():
    label = field((2, slice(0, 10), slice(0, 10)), (6, slice(20, 30), slice(0, 10)))
    prediction = field((2, slice(0, 5), slice(0, 10)), (3, slice(0, 10), slice(30, 40)))
    evaluator = Evaluator(DefectRules(mm_per_px=0.5))
    evaluator.add(sample(), truth(label), seen(prediction))

    found = result(evaluator)

    assert found.figures["detection_rate"] == found.figures["classification_rate"] == 0.5
    assert found.figures["defect_precision"] == 0.5
    assert found.figures["defects.scratches.detection_rate"] == 0.0
    assert found.figures["defects.patches.precision"] == 0.0
    assert found.figures["defects.patches.detection_rate"] is None
    assert found.figures["defects.20-100.detection_rate"] == 0.5
    alarms = found.false_alarms[UNLABELLED_METAL]
    bare_px = 40 * 40 - 12 * 12 - 14 * 12
    assert alarms.count == 1
    assert alarms.area_m2 == pytest.approx(bare_px * 0.25e-6)


def test_the_interval_of_a_whole_rate_is_that_of_as_many_trials_as_sources():
    evaluator = Evaluator()
    for number in range(10):
        ids = field((2, slice(0, 10), slice(0, 10)))
        evaluator.add(sample(name=f"x/{number}"), truth(ids), seen(ids))

    low, high = result(evaluator).intervals["detection_rate"]

    assert low == pytest.approx(0.025 ** (1 / 10))  # 0.692
    assert high == 1.0


def test_copies_of_one_picture_narrow_no_interval():
    def run(copies: int) -> tuple[float, float]:
        evaluator = Evaluator()
        for number in range(12):
            prediction = [[2] * (number % 5) + [0] * (4 - number % 5)]
            for copy in range(copies):
                name = f"x/{number:02}-{copy}"
                evaluator.add(sample(name=name), truth([[2, 2, 2, 2]]), seen(prediction))
        return evaluator.result(
            lambda samples: np.array([int(s.name[2:4]) for s in samples])
        ).intervals["dice_pixel"]

    assert run(5) == pytest.approx(run(1))


def test_json_has_null_where_no_image_has_the_label():
    content = result(scored((LabelKind.MASK, [[6, 0]], [[6, 0]]))).to_json()
    plain = json.loads(json.dumps(content, allow_nan=False))

    assert all(plain[name] is None for name in BOX_HEADLINES)
    assert plain["miou_pixel"] == 1.0
    assert plain["per_class"]["scratches"] == {
        "dice": 1.0,
        "iou": 1.0,
        "precision": 1.0,
        "recall": 1.0,
        "n_images": 1,
        "label": "mask",
    }
    assert plain["per_class"]["patches"]["dice"] is None
    assert plain["intervals"] == {}, "one image has no spread"


def test_a_manifest_takes_all_that_is_measured():
    label = field((2, slice(0, 10), slice(0, 10)))
    evaluator = Evaluator()
    for number in range(2):
        evaluator.add(sample(name=f"x/{number}"), truth(label, boxes=True), seen(label))
    found = result(evaluator)

    kept = ManifestEvaluation.model_validate(found.to_json())

    assert kept.detection_rate == 1.0
    assert kept.intervals["detection_rate"] == found.intervals["detection_rate"]
    assert ManifestEvaluation.model_validate_json(kept.model_dump_json()) == kept


def test_an_image_without_label_cannot_be_scored():
    with pytest.raises(ValueError, match="x/a"):
        Evaluator().add(sample(label=None), truth([[0]]), seen([[0]]))


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"\[1, 1\] px, the mask \[1, 2\]"):
        Evaluator().add(sample(), truth([[0]]), seen([[0, 0]]))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for place in ("images", "masks"):
        (tmp_path / "made" / place).mkdir(parents=True)
    noise = np.random.default_rng(1)
    for number in range(3):
        image = noise.integers(0, 255, (40, 40), np.uint8)
        label = field((2, slice(0, 10 + number), slice(0, 10)))
        cv2.imwrite(str(tmp_path / "made" / "images" / f"{number}.png"), image)
        cv2.imwrite(str(tmp_path / "made" / "masks" / f"{number}.png"), label)
    return tmp_path


def test_pictures_are_scored_as_they_come_and_those_of_the_training_passed_over(folder: Path):
    samples = find_samples(folder)
    learned = pixel_digest(cv2.imread(str(samples[1].image), cv2.IMREAD_GRAYSCALE))
    passed, names = [], []

    evaluation = evaluate(
        lambda image: seen(np.zeros_like(image)),
        unseen(samples, frozenset({learned}), on_seen=passed.append),
        on_image=lambda scored: names.append(scored.sample.name),
    )

    assert [s.name for s in passed] == ["made/1"]
    assert names == ["made/0", "made/2"]
    assert evaluation.sources.keys() == {"made/0", "made/2"}
    assert evaluation.figures["detection_rate"] == 0.0


def test_nothing_to_score_is_told(folder: Path):
    with pytest.raises(DataError, match="every one was seen"):
        evaluate(seen, iter([]))


def test_no_figure_depends_on_the_order_of_the_images():
    images = [
        (LabelKind.MASK, [[2, 2, 0, 3]], [[2, 0, 0, 3]]),
        (LabelKind.BOXES, [[5, 5, 5, 0]], [[5, 0, 0, 0]]),
        (LabelKind.MASK, [[6, 0, 0, 0]], [[6, 6, 0, 0]]),
    ]
    there, back = Evaluator(), Evaluator()
    for evaluator, order in ((there, (0, 1, 2)), (back, (2, 0, 1))):
        for number in order:
            kind, label, prediction = images[number]
            labelled = truth(label, boxes=kind is LabelKind.BOXES)
            evaluator.add(sample(kind, f"x/{number}"), labelled, seen(prediction))

    assert there.result(each_its_own).to_json() == back.result(each_its_own).to_json()

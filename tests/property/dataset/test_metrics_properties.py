import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stripscan.dataset.samples import LabelKind
from stripscan.dataset.scoring.defects import DefectRules
from stripscan.dataset.scoring.evaluation import Evaluation, Evaluator
from stripscan.dataset.scoring.metrics import boxed, count, dice_of, iou_of, one_hot
from stripscan.dataset.scoring.poisson import poisson_interval
from unit.dataset.scoring.scoring_samples import result, sample, seen, truth

SHAPE = (5, 7)
IDS = (1, 2, 3, 4, 5, 6)
masks = arrays(np.uint8, SHAPE, elements=st.integers(0, 6))
known_pixels = arrays(np.bool_, (6, *SHAPE))


@given(masks, masks, known_pixels)
def test_counts_cover_every_known_pixel_once(predicted, truth, known):
    counts = count(one_hot(predicted), one_hot(truth), known)

    for c in IDS:
        seen = int(counts.tp[c] + counts.fn[c])
        assert seen == int(((truth == c) & known[c - 1]).sum())


def evaluated(pairs: list[tuple[np.ndarray, np.ndarray]]) -> Evaluation:
    """Score predictions against labels that are masks and boxes at once."""
    evaluator = Evaluator(DefectRules(min_area_px=1))
    for number, (label, prediction) in enumerate(pairs):
        labelled = truth(label, boxes=True)
        evaluator.add(sample(LabelKind.MASK, f"x/{number:02}"), labelled, seen(prediction))
    return result(evaluator)


@given(st.lists(masks, min_size=1, max_size=3))
def test_the_truth_itself_is_perfect(labels):
    evaluation = evaluated([(label, label) for label in labels])

    imperfect = {"dice_boxed", "ece"}  # boxes hold more than masks
    for name, figure in evaluation.figures.items():
        assert name in imperfect or figure in {None, 1.0}, name
    assert evaluation.figures["dice"] == 1.0
    assert evaluation.figures["ece"] in {None, 0.0}
    assert all(rate.count == 0 for rate in evaluation.false_alarms.values())


@settings(max_examples=40)
@given(st.lists(st.tuples(masks, masks), min_size=1, max_size=5))
def test_figures_are_shares_and_their_intervals_hold_them(pairs):
    evaluation = evaluated(pairs)

    for name, figure in evaluation.figures.items():
        assert figure is None or 0.0 <= figure <= 1.0 + 1e-12, name
    for name, (low, high) in evaluation.intervals.items():
        assert -1e-12 <= low <= evaluation.figures[name] <= high <= 1.0 + 1e-12, name
    for rate in evaluation.false_alarms.values():
        assert 0.0 <= rate.low <= rate.per_m2 <= rate.high


@given(st.lists(st.tuples(masks, masks), min_size=1, max_size=4), st.floats(0.01, 1))
def test_what_is_classified_is_detected_and_rarer_with_more_overlap(pairs, overlap):
    def rates(rules: DefectRules) -> tuple[float, float]:
        evaluator = Evaluator(rules)
        for number, (label, prediction) in enumerate(pairs):
            evaluator.add(sample(name=f"x/{number}"), truth(label), seen(prediction))
        figures = result(evaluator).figures
        return figures["classification_rate"] or 0.0, figures["detection_rate"] or 0.0

    classified, detected = rates(DefectRules(min_area_px=1, overlap=overlap))
    assert classified <= detected
    assert detected <= rates(DefectRules(min_area_px=1, overlap=overlap / 2))[1]


@given(masks, masks)
def test_dice_and_iou_are_symmetric(first, second):
    known = np.ones((6, *SHAPE), bool)
    there = count(one_hot(first), one_hot(second), known)
    back = count(one_hot(second), one_hot(first), known)

    for figure in (dice_of, iou_of):
        one, other = (figure(c.tp, c.fp, c.fn) for c in (there, back))
        assert np.array_equal(one, other, equal_nan=True)


@given(st.integers(0, 2000), st.floats(0.5, 0.99))
def test_a_poisson_interval_holds_what_was_seen_and_grows_with_its_level(number, level):
    low, high = poisson_interval(number, level=level)
    wide_low, wide_high = poisson_interval(number, level=(1 + level) / 2)

    assert wide_low <= low <= number <= high <= wide_high


@given(masks)
def test_boxes_cover_the_mask_and_nothing_beyond_its_extent(mask):
    layers, boxes = one_hot(mask), boxed(mask)

    assert not (layers & ~boxes).any()
    for layer, box in zip(layers, boxes, strict=True):
        for axis in (0, 1):
            outside = ~layer.any(axis=axis)
            first, last = np.argmin(outside), len(outside) - 1 - np.argmin(outside[::-1])
            if layer.any():
                assert not box.any(axis=axis)[:first].any()
                assert not box.any(axis=axis)[last + 1 :].any()
            else:
                assert not box.any()


@given(masks, masks)
def test_a_score_is_one_only_for_equal_masks(first, second):
    figures = evaluated([(first, second)]).figures

    assert (figures["dice"] == pytest.approx(1.0)) == bool((first == second).all())

import numpy as np
import pytest

from stripscan.dataset.metrics import (
    boxed,
    class_score,
    count,
    dice_original,
    dice_per_image,
    miou_pooled,
    one_hot,
    pool,
)


def mask(rows: list[list[int]]) -> np.ndarray:
    return np.array(rows, np.uint8)


def counts(predicted: list[list[int]], truth: list[list[int]], known: np.ndarray | None = None):
    target = one_hot(mask(truth))
    return count(one_hot(mask(predicted)), target, np.ones_like(target) if known is None else known)


def test_golden_counts():
    got = counts([[2, 2, 0], [6, 0, 0]], [[2, 0, 0], [2, 6, 0]])

    assert got.tp.tolist() == [2, 0, 1, 0, 0, 0, 0]
    assert got.fp.tolist() == [1, 0, 1, 0, 0, 0, 1]
    assert got.fn.tolist() == [1, 0, 1, 0, 0, 0, 1]
    assert dice_original([got]) == pytest.approx(2 / 6)
    assert miou_pooled([got], (2, 6)) == pytest.approx((1 / 3 + 0) / 2)
    assert miou_pooled([got], (2, 6), with_background=True) == pytest.approx(
        (1 / 3 + 0 + 2 / 4) / 3
    )


def test_unknown_pixels_do_not_count():
    known = np.ones((6, 1, 3), bool)
    known[:, 0, 2] = False

    got = counts([[2, 0, 2]], [[2, 0, 0]], known)

    assert (int(got.fp.sum()), int(got.fn.sum())) == (0, 0)
    assert got.tp.tolist() == [1, 0, 1, 0, 0, 0, 0]


def test_dice_is_a_mean_over_images_and_iou_is_pooled():
    small_hit = counts([[2, 0, 0, 0]], [[2, 0, 0, 0]])
    large_miss = counts([[0, 0, 0, 0]], [[2, 2, 2, 0]])

    assert dice_original([small_hit, large_miss]) == pytest.approx(0.5)
    assert miou_pooled([small_hit, large_miss], (2,)) == pytest.approx(1 / 4)


@pytest.mark.parametrize(("predicted", "score"), [([[0, 0]], 1.0), ([[0, 4]], 0.0)])
def test_an_empty_truth(predicted, score):
    assert dice_original([counts(predicted, [[0, 0]])]) == score


def test_dice_of_some_classes_does_not_see_the_others():
    image = counts([[2, 1]], [[2, 5]])

    assert dice_per_image([image], (2, 3, 6)) == 1.0
    assert dice_original([image]) == pytest.approx(0.5)


def test_a_class_that_nowhere_occurs_is_left_out_of_the_mean():
    assert miou_pooled([counts([[2, 0]], [[2, 0]])], (2, 3, 6)) == 1.0


def test_nothing_to_score_is_none():
    empty = pool([])

    assert dice_original([]) is None
    assert miou_pooled([], (2, 3)) is None
    assert class_score(empty, 1).recall is None


def test_class_scores():
    score = class_score(pool([counts([[2, 2, 2, 0]], [[2, 0, 0, 2]])]), 2)

    assert score.precision == pytest.approx(1 / 3)
    assert score.recall == pytest.approx(1 / 2)
    assert score.dice == pytest.approx(2 / 5)
    assert score.iou == pytest.approx(1 / 4)


def test_components_become_boxes_per_class():
    got = boxed(mask([[2, 0, 0, 2], [0, 2, 0, 0], [0, 6, 0, 6], [0, 6, 6, 6]]))

    assert got[1].astype(int).tolist() == [[1, 1, 0, 1], [1, 1, 0, 0], [0] * 4, [0] * 4]
    assert got[5].astype(int).tolist() == [[0] * 4, [0] * 4, [0, 1, 1, 1], [0, 1, 1, 1]]


def test_foreign_ids_are_refused():
    with pytest.raises(ValueError, match="class id 7"):
        one_hot(mask([[7]]))


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="shapes differ"):
        count(np.zeros((6, 2, 2), bool), np.zeros((6, 2, 3), bool), np.zeros((6, 2, 2), bool))

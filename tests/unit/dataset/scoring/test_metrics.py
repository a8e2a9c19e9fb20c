import numpy as np
import pytest

from stripscan.dataset.scoring.metrics import boxed, class_score, count, number, one_hot, ratio


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


def test_unknown_pixels_do_not_count():
    known = np.ones((6, 1, 3), bool)
    known[:, 0, 2] = False

    got = counts([[2, 0, 2]], [[2, 0, 0]], known)

    assert (int(got.fp.sum()), int(got.fn.sum())) == (0, 0)
    assert got.tp.tolist() == [1, 0, 1, 0, 0, 0, 0]


def test_what_has_no_denominator_is_none():
    assert class_score(counts([[0, 0]], [[0, 0]]), 1).recall is None
    assert np.isnan(ratio(np.array([0.0, 1.0]), np.array([0.0, 2.0]))).tolist() == [True, False]
    assert number(np.array(np.nan)) is None


def test_class_scores():
    score = class_score(counts([[2, 2, 2, 0]], [[2, 0, 0, 2]]), 2)

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

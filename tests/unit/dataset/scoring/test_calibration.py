import numpy as np
import pytest

from stripscan.dataset.scoring.calibration import expected_calibration_error, reliability_counts
from stripscan.dataset.scoring.metrics import one_hot

MASK = np.array([[2, 2, 2, 6, 0]], np.uint8)
SCORE = np.array([[255, 255, 102, 204, 250]], np.uint8)  # 1, 1, 0.4, 0.8
TRUTH = np.array([[2, 0, 2, 2, 2]], np.uint8)


def test_golden_bins_and_error():
    counts = reliability_counts(MASK, SCORE, one_hot(TRUTH), np.ones((6, 1, 5), bool))

    pixels, right, confidence = counts
    assert pixels.tolist() == [0, 0, 0, 1, 0, 0, 0, 1, 0, 2]
    assert right.tolist() == [0, 0, 0, 1, 0, 0, 0, 0, 0, 1]
    assert confidence == pytest.approx([0, 0, 0, 0.4, 0, 0, 0, 0.8, 0, 2])
    # (|0.4 - 1| + |0.8 - 0| + 2 |1 - 1 / 2|) / 4
    assert expected_calibration_error(counts) == pytest.approx((0.6 + 0.8 + 1.0) / 4)


def test_pixels_of_an_unlabelled_class_do_not_count():
    known = np.ones((6, 1, 5), bool)
    known[1] = False

    assert reliability_counts(MASK, SCORE, one_hot(TRUTH), known)[0].sum() == 1


def test_no_pixel_has_no_error():
    nothing = np.zeros((1, 5), np.uint8)
    counts = reliability_counts(nothing, SCORE, one_hot(TRUTH), np.ones((6, 1, 5), bool))

    assert np.isnan(expected_calibration_error(counts))


@pytest.mark.parametrize(("score", "index"), [(0, 0), (25, 0), (26, 1), (51, 1), (52, 2), (255, 9)])
def test_a_bin_holds_its_upper_limit(score, index):
    """51 / 255 is 0.2, the upper limit of the second bin."""
    label = np.array([[2]], np.uint8)
    counts = reliability_counts(
        label, np.array([[score]], np.uint8), one_hot(label), np.ones((6, 1, 1), bool)
    )

    assert counts[0].argmax() == index

import numpy as np

from stripscan.dataset.scoring.reported import reported
from stripscan.dataset.scoring.segmented import Segmented


def segmented(mask: np.ndarray) -> Segmented:
    return Segmented(mask=mask, score=np.full_like(mask, 200))


def test_specks_of_a_class_are_not_reported():
    mask = np.zeros((12, 12), np.uint8)
    mask[0:3, 0:3] = 2
    mask[0:2, 6:8] = 6
    mask[8:12, 8:12] = 6

    kept = reported(segmented(mask), {"inclusion": 10, "scratches": 4}).mask

    assert not kept[0:3, 0:3].any()
    assert (kept[0:2, 6:8] == 6).all()
    assert (kept[8:12, 8:12] == 6).all()


def test_touching_classes_are_one_defect_of_the_larger_one():
    mask = np.zeros((6, 8), np.uint8)
    mask[0, 0:2] = 2
    mask[1, 2:7] = 6  # touches at the corner

    assert np.array_equal(reported(segmented(mask), {"scratches": 7, "inclusion": 99}).mask, mask)
    assert not reported(segmented(mask), {"scratches": 8}).mask.any()


def test_a_clean_mask_stays_as_it_is():
    clean = segmented(np.zeros((4, 4), np.uint8))

    assert reported(clean, {"scratches": 8}) is clean

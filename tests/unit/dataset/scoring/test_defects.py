import dataclasses

import numpy as np
import pytest

from stripscan.dataset.scoring.defects import (
    DefectRules,
    LabelledDefect,
    PredictedDefect,
    alarms,
    match_defects,
)
from unit.dataset.scoring.scoring_samples import field, truth

SQUARE = slice(0, 10)


def test_a_quarter_of_a_defect_finds_it():
    label = truth(field((2, SQUARE, SQUARE)))
    missed = match_defects(field((2, slice(0, 8), slice(0, 3))), label)
    found = match_defects(field((2, slice(0, 9), slice(0, 3))), label)

    (of_24,), (of_27,) = missed.labelled, found.labelled
    assert (of_24.area_px, of_24.detected, of_27.detected) == (100, False, True)


def test_another_class_detects_and_does_not_classify():
    (defect,) = match_defects(
        field((6, SQUARE, SQUARE)), truth(field((2, SQUARE, SQUARE)))
    ).labelled

    assert defect == LabelledDefect(class_id=2, area_px=100, detected=True, classified=False)


def test_specks_count_on_neither_side():
    small = field((2, slice(0, 29), slice(0, 1)))
    enough = field((2, slice(0, 30), slice(0, 1)))

    assert match_defects(small, truth(small)).labelled == ()
    assert match_defects(small, truth(small)).predicted == ()
    assert len(match_defects(enough, truth(enough)).labelled) == 1
    assert (alarms(small, min_area_px=30), alarms(enough, min_area_px=30)) == (0, 1)


def test_corners_connect_and_classes_join_in_predictions_only():
    """Two squares touch at a corner: one prediction; by class they are two labelled defects."""
    ids = field((2, slice(0, 10), slice(0, 10)), (6, slice(10, 18), slice(10, 18)))
    match = match_defects(ids, truth(ids))

    assert [d.class_id for d in match.labelled] == [2, 6]
    assert [(d.class_id, d.area_px) for d in match.predicted] == [(2, 164)]


def test_two_pixels_beside_a_label_are_on_it_and_the_third_is_not():
    label = truth(field((2, SQUARE, SQUARE)))

    def of_columns(left: int) -> PredictedDefect:
        (found,) = match_defects(field((2, SQUARE, slice(left, left + 4))), label).predicted
        return found

    assert [of_columns(left).confirmed for left in (10, 11, 12)] == [True, True, False]
    assert [of_columns(left).false_alarm for left in (10, 11, 12)] == [False, False, True]


def test_pixels_that_nobody_labelled_are_neither_right_nor_wrong():
    known = np.ones((6, 40, 40), bool)
    known[1, :, 20:] = False
    label = dataclasses.replace(truth(field((2, SQUARE, SQUARE))), known=known)

    inside = match_defects(field((2, SQUARE, slice(25, 35))), label)
    across = match_defects(field((2, SQUARE, slice(12, 30))), label)

    assert [(d.confirmed, d.false_alarm) for d in inside.predicted] == [(None, False)]
    # 12 to 17 are judged and wrong, the two columns beside the unknown ones are not judged.
    assert [(d.confirmed, d.false_alarm) for d in across.predicted] == [(False, False)]
    assert inside.bare_px == 40 * 18 - 12 * 12


def test_rows_of_a_match_are_by_class_and_by_area():
    """At 1 mm a pixel 50 px are in the third bin, 100 px in the last."""
    rules = DefectRules(mm_per_px=1.0)
    label = field((2, slice(0, 5), SQUARE), (6, slice(20, 30), SQUARE))
    prediction = field((3, slice(0, 5), SQUARE), (1, slice(20, 30), slice(30, 40)))

    counts = match_defects(prediction, truth(label), rules).counts(rules)

    expected = np.zeros((10, 5), int)
    expected[1] = [1, 1, 0, 0, 0]  # inclusion: labelled, detected, not classified
    expected[5] = [1, 0, 0, 0, 0]  # scratches: missed
    expected[2] = [0, 0, 0, 1, 1]  # patches: predicted, and some defect is there
    expected[0] = [0, 0, 0, 1, 0]  # crazing: predicted, and nothing is there
    expected[8] = [1, 1, 0, 1, 1]
    expected[9] = [1, 0, 0, 1, 0]
    assert counts.tolist() == expected.tolist()


@pytest.mark.parametrize(("area_px", "size"), [(4, 0), (5, 1), (19, 1), (20, 2), (99, 2), (100, 3)])
def test_a_bin_of_area_holds_its_lower_limit(area_px, size):
    assert DefectRules(mm_per_px=1.0).size_bin(area_px) == size


@pytest.mark.parametrize(
    "wrong", [{"overlap": 0.0}, {"overlap": 1.1}, {"min_area_px": 0}, {"mm_per_px": 0.0}]
)
def test_rules_that_mean_nothing_are_refused(wrong):
    with pytest.raises(ValueError, match="must be above 0"):
        DefectRules(**wrong)

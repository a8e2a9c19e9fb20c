import numpy as np

from stripscan.dataset.formats.canvas import Canvas

IDS = {"scratch": 6, "line": 6, "patch": 3, "dent": 255, "sound": 0}


def row(*columns: int) -> np.ndarray:
    region = np.zeros((1, 5), bool)
    region[0, list(columns)] = True
    return region


def test_two_of_their_classes_may_be_one_of_ours():
    canvas = Canvas((1, 5), IDS)
    canvas.paint("scratch", row(0, 1))
    canvas.paint("line", row(1, 2))
    assert canvas.mask().tolist() == [[6, 6, 6, 0, 0]]


def test_where_two_of_our_classes_overlap_nothing_is_said():
    canvas = Canvas((1, 5), IDS)
    canvas.paint("scratch", row(0, 1, 2))
    canvas.paint("patch", row(2, 3))
    canvas.paint("scratch", row(2))
    assert canvas.mask().tolist() == [[6, 6, 255, 3, 0]]


def test_a_labelled_object_lies_over_what_is_not_labelled_in_any_order():
    canvas = Canvas((1, 5), IDS)
    canvas.paint("dent", row(0, 1))
    canvas.paint("scratch", row(1, 2))
    canvas.hide(row(2, 3))
    assert canvas.mask().tolist() == [[255, 6, 6, 255, 0]]


def test_a_class_that_is_background_leaves_no_trace():
    canvas = Canvas((1, 5), IDS)
    canvas.paint("sound", row(0, 1, 2, 3, 4))
    assert not canvas.mask().any()

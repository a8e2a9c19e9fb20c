import numpy as np
import pytest

from stripscan.contract.rle import mask_of, runs_of


def test_runs_touching_both_edges_and_an_empty_line():
    mask = np.array([[1, 1, 0, 1], [0, 0, 0, 0], [0, 9, 9, 0]], np.uint8)
    assert runs_of(mask, first_line=100).tolist() == [[100, 0, 2], [100, 3, 4], [102, 1, 3]]


@pytest.mark.parametrize("shape", [(3, 5), (0, 5), (3, 0)])
def test_a_clean_mask_has_no_runs(shape):
    runs = runs_of(np.zeros(shape, bool))
    assert runs.shape == (0, 3)
    assert runs.dtype == np.int64


def test_line_numbers_beyond_32_bit_survive():
    far = 2**40
    assert runs_of(np.ones((1, 2), np.uint8), first_line=far).tolist() == [[far, 0, 2]]


def test_a_window_cuts_runs_at_its_borders():
    runs = np.array([[9, 0, 4], [10, 2, 9], [11, 6, 8], [12, 0, 4]], np.int64)
    window = mask_of(runs, first_line=10, lines=2, width=4)
    assert window.tolist() == [[0, 0, 1, 1], [0, 0, 0, 0]]
    assert window.dtype == np.uint8


def test_overlapping_runs_stay_one():
    runs = np.array([[0, 0, 3], [0, 1, 4]], np.int64)
    assert mask_of(runs, first_line=0, lines=1, width=5).tolist() == [[1, 1, 1, 1, 0]]

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stripscan.contract.rle import runs_of
from stripscan.runtime.measure import Measure, Metric, measure
from stripscan.runtime.stitching import Piece


def piece_of(mask: np.ndarray, score: np.ndarray, *, first_line: int = 0) -> Piece:
    here = mask > 0
    return Piece(
        component=0,
        runs=runs_of(mask, first_line=first_line),
        pixels=np.bincount(mask[here], minlength=256),
        score=np.bincount(mask[here], weights=score[here], minlength=256),
    )


METRIC = Metric(
    first_line=100,
    along_m=np.array([10.0, 10.0005, 10.001, 10.002, 10.003, 10.0032]),
    edges=np.array([[4, 44], [4, 44], [5, 45], [5.5, 45], [6, 46]], np.float32),
    mm_per_px=0.5,
)

MASK = np.zeros((5, 50), np.uint8)
MASK[1, 10:14] = 2
MASK[2, 8:11] = 2
MASK[2, 20:30] = 3
MASK[3, 10:11] = 6


def test_golden_values() -> None:
    score = np.full_like(MASK, 255)
    score[MASK == 3] = 51
    seen = measure(piece_of(MASK, score, first_line=100), METRIC)
    assert (seen.first_line, seen.last_line, seen.first_px, seen.last_px) == (101, 103, 8, 29)
    assert (seen.along_start_m, seen.along_end_m) == (10.0005, 10.003)
    assert seen.across_left_mm == (8 - 5) * 0.5
    assert seen.across_right_mm == (30 - 5) * 0.5
    assert seen.edge_right_mm == (45 - 30) * 0.5
    assert seen.area_mm2 == pytest.approx((4 * 0.5 + 13 * 1.0 + 1 * 1.0) * 0.5)
    assert seen.area_px == 18
    # 10 px of patches weigh less than 7 px of inclusion, which the model is sure of.
    assert seen.class_id == 2
    assert seen.confidence == 1.0
    assert seen.shares[[2, 3, 6]] == pytest.approx(np.array([7, 2, 1]) / 10, abs=1e-5)


def test_the_class_of_pixels_without_a_score_is_the_most_frequent() -> None:
    seen = measure(piece_of(MASK, np.zeros_like(MASK), first_line=100), METRIC)
    assert (seen.class_id, seen.confidence) == (3, 0.0)
    assert seen.shares.sum() == pytest.approx(1)


@settings(max_examples=50)
@given(st.integers(0, 5), st.integers(0, 1000))
def test_parts_add_up_to_the_whole(cut: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    mask = (random.integers(1, 7, (5, 50)) * (random.random((5, 50)) < 0.3)).astype(np.uint8)
    mask[2, 3] = 1
    score = random.integers(0, 256, mask.shape, np.uint8)
    whole = measure(piece_of(mask, score, first_line=100), METRIC)
    total = Measure()
    for part, first in ((mask[:cut], 0), (mask[cut:], cut)):
        if part.any():
            piece = piece_of(part, score[first : first + len(part)], first_line=100 + first)
            total.add(measure(piece, METRIC))
    for name in Measure.__dataclass_fields__:
        assert np.asarray(getattr(total, name)) == pytest.approx(getattr(whole, name)), name

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stripscan.dataset.metrics import boxed, count, dice_original, miou_pooled, one_hot, pool

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


@given(masks)
def test_the_truth_itself_is_perfect(truth):
    counts = count(one_hot(truth), one_hot(truth), np.ones((6, *SHAPE), bool))

    assert dice_original([counts]) == 1.0
    assert miou_pooled([counts], IDS, with_background=True) == 1.0


@given(masks, masks)
def test_dice_and_iou_are_symmetric_and_in_range(first, second):
    known = np.ones((6, *SHAPE), bool)
    there = count(one_hot(first), one_hot(second), known)
    back = count(one_hot(second), one_hot(first), known)

    dice = dice_original([there])
    assert dice is not None
    assert 0.0 <= dice <= 1.0
    assert dice == dice_original([back])
    assert miou_pooled([there], IDS) == miou_pooled([back], IDS)


@given(st.lists(st.tuples(masks, masks), min_size=1, max_size=4))
def test_pooling_equals_one_large_image(pairs):
    known = np.ones((6, *SHAPE), bool)
    pooled = pool(count(one_hot(p), one_hot(t), known) for p, t in pairs)
    large = count(
        one_hot(np.hstack([p for p, _ in pairs])),
        one_hot(np.hstack([t for _, t in pairs])),
        np.concatenate([known] * len(pairs), axis=2),
    )

    assert pooled.tp.tolist() == large.tp.tolist()
    assert pooled.fp.tolist() == large.fp.tolist()
    assert pooled.fn.tolist() == large.fn.tolist()


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
    counts = count(one_hot(first), one_hot(second), np.ones((6, *SHAPE), bool))

    assert (dice_original([counts]) == pytest.approx(1.0)) == bool((first == second).all())

"""Run lengths of foreign data sets come back as the mask that was encoded."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from stripscan.dataset.formats.runs import mask_of_counts, mask_of_pairs, parse_counts

MASKS = arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=20))


def counts_of(mask: np.ndarray) -> list[int]:
    flat = mask.flatten(order="F")
    edges = [0, *(np.flatnonzero(np.diff(flat)) + 1).tolist(), flat.size]
    counts = np.diff(edges).tolist()
    return [0, *counts] if flat[0] else counts


def pairs_of(mask: np.ndarray) -> str:
    counts = counts_of(mask)
    starts = np.cumsum([1, *counts])
    return " ".join(f"{starts[i]} {counts[i]}" for i in range(1, len(counts), 2))


def packed(counts: list[int]) -> str:
    """Encode as ``rleToString`` of pycocotools does."""
    text = ""
    for i, count in enumerate(counts):
        value = count - counts[i - 2] if i > 2 else count
        more = True
        while more:
            bits = value & 0x1F
            value >>= 5
            more = value != (-1 if bits & 0x10 else 0)
            text += chr((bits | (0x20 if more else 0)) + 48)
    return text


@given(MASKS)
def test_pairs(mask: np.ndarray) -> None:
    assert np.array_equal(mask_of_pairs(pairs_of(mask), mask.shape), mask)


@given(MASKS)
def test_counts(mask: np.ndarray) -> None:
    assert np.array_equal(mask_of_counts(counts_of(mask), mask.shape), mask)


@given(st.lists(st.integers(0, 10**9)))
def test_compressed_counts(counts: list[int]) -> None:
    assert parse_counts(packed(counts)) == counts

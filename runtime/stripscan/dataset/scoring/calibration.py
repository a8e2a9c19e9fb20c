"""Whether a score of 0.9 is right nine times in ten."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.classes import NEU_CLASSES
from stripscan.dataset.scoring.metrics import Floats, ratio

BINS: Final = 10
PIXELS, RIGHT, CONFIDENCE = range(3)

_SCORES = np.arange(256)
_BIN_OF_SCORE = np.maximum((BINS * _SCORES + 254) // 255 - 1, 0)


def reliability_counts(
    mask: NDArray[np.uint8],
    score: NDArray[np.uint8],
    target: NDArray[np.bool_],
    known: NDArray[np.bool_],
) -> Floats:
    """Count the pixels that are predicted as a defect, by their confidence.

    Bin ``m`` of 0-9 holds the confidences above ``m / 10`` and up to ``(m + 1) / 10``.

    Args:
        mask: uint8 ``[H, W]`` class ids; background is left out.
        score: uint8 ``[H, W]``, 255 times the confidence.
        target: bool ``[6, H, W]``.
        known: bool ``[6, H, W]``; pixels whose predicted class it does not know are left out.

    Returns:
        float64 ``[3, 10]``: pixels, those that are labelled with the predicted class, and the sum
        of their confidences.
    """
    seen, right = np.zeros(256, np.int64), np.zeros(256, np.int64)
    for defect in NEU_CLASSES:
        layer = mask == defect.id
        if not layer.any():
            continue
        seen += np.bincount(score[layer & known[defect.id - 1]], minlength=256)
        correct = layer & known[defect.id - 1] & target[defect.id - 1]
        right += np.bincount(score[correct], minlength=256)
    return np.stack([_binned(seen), _binned(right), _binned(seen * _SCORES / 255)])


def expected_calibration_error(counts: Floats) -> Floats:
    """Return the mean distance between confidence and share right, weighted with the pixels.

    ECE of Guo et al. (2017, arXiv:1706.04599), over the bins of ``reliability_counts``.

    Args:
        counts: float64 ``[..., 3, 10]``.

    Returns:
        float64 ``[...]``, 0-1; NaN without pixels.
    """
    gap = np.abs(counts[..., RIGHT, :] - counts[..., CONFIDENCE, :]).sum(axis=-1)
    return ratio(gap, counts[..., PIXELS, :].sum(axis=-1))


def _binned(by_score: NDArray[Any]) -> Floats:
    return np.bincount(_BIN_OF_SCORE, by_score, BINS).astype(np.float64)

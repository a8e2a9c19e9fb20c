"""The loss: binary cross-entropy and Dice, per class, on what the label knows."""

import torch
from torch import Tensor
from torch.nn import functional


def masked_bce_dice(
    logits_NCHW: Tensor, target_NCHW: Tensor, known_NCHW: Tensor, *, smooth_px: float = 64.0
) -> Tensor:
    """Return the mean of binary cross-entropy plus one minus Dice over the batch.

    Dice per class is taken over the batch (Milletari et al., 2016, arXiv:1606.04797), smoothed so
    that a class that is not in the batch costs nothing when nothing is predicted.

    Args:
        logits_NCHW: float32, any value.
        target_NCHW: float32, 0 or 1.
        known_NCHW: float32, 0 where the label says nothing, 1 elsewhere.
        smooth_px: Added to numerator and denominator, in pixels.

    Returns:
        A scalar.
    """
    bce_NCHW = functional.binary_cross_entropy_with_logits(
        logits_NCHW, target_NCHW, reduction="none"
    )
    bce = (bce_NCHW * known_NCHW).sum() / known_NCHW.sum().clamp(min=1.0)
    probability_NCHW = torch.sigmoid(logits_NCHW) * known_NCHW
    truth_NCHW = target_NCHW * known_NCHW
    both_C = (probability_NCHW * truth_NCHW).sum(dim=(0, 2, 3))
    sum_C = probability_NCHW.sum(dim=(0, 2, 3)) + truth_NCHW.sum(dim=(0, 2, 3))
    dice_C = (2.0 * both_C + smooth_px) / (sum_C + smooth_px)
    return bce + (1.0 - dice_C).mean()

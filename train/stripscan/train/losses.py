"""The losses: per class, on what the label knows."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional


def masked_bce_dice(
    logits_NCHW: Tensor,
    target_NCHW: Tensor,
    known_NCHW: Tensor,
    *,
    kind: Literal["bce-dice", "bce"] = "bce-dice",
    smooth_px: float = 64.0,
) -> Tensor:
    """Return the mean of binary cross-entropy, plus one minus Dice over the batch if asked for.

    Dice per class is taken over the batch (Milletari et al., 2016, arXiv:1606.04797), smoothed so
    that a class that is not in the batch costs nothing when nothing is predicted.

    Args:
        logits_NCHW: Any floating-point type, any value; computed in float32.
        target_NCHW: float32, 0 or 1.
        known_NCHW: float32, 0 where the label says nothing, 1 elsewhere.
        kind: With Dice or without.
        smooth_px: Added to numerator and denominator, in pixels.

    Returns:
        A scalar.
    """
    # All in one memory layout: mixing two makes each of these passes several times slower.
    logits_NCHW = logits_NCHW.float().contiguous()
    bce_NCHW = functional.binary_cross_entropy_with_logits(
        logits_NCHW, target_NCHW, reduction="none"
    )
    bce = (bce_NCHW * known_NCHW).sum() / known_NCHW.sum().clamp(min=1.0)
    if kind == "bce":
        return bce
    probability_NCHW = torch.sigmoid(logits_NCHW) * known_NCHW
    truth_NCHW = target_NCHW * known_NCHW
    both_C = (probability_NCHW * truth_NCHW).sum(dim=(0, 2, 3))
    sum_C = probability_NCHW.sum(dim=(0, 2, 3)) + truth_NCHW.sum(dim=(0, 2, 3))
    dice_C = (2.0 * both_C + smooth_px) / (sum_C + smooth_px)
    return bce + (1.0 - dice_C).mean()


def distillation(student_NCHW: Tensor, teacher_NCHW: Tensor) -> Tensor:
    """Return the mean binary cross-entropy of the student against the teacher's probabilities.

    Args:
        student_NCHW: Logits.
        teacher_NCHW: Logits of the same shape; no gradient flows there.

    Returns:
        A scalar; 0 is not reached, since the teacher's own entropy is part of it.
    """
    return functional.binary_cross_entropy_with_logits(
        student_NCHW.float().contiguous(),
        torch.sigmoid(teacher_NCHW.detach().float()).contiguous(),
    )

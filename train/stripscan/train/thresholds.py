"""Per-class thresholds, chosen on validation and never on test."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from stripscan.train.config import TrainConfig
from stripscan.train.module import normalise, unpack

CANDIDATES = tuple(round(0.30 + 0.05 * step, 2) for step in range(13))
"""Probabilities that are tried: 0.30 to 0.90."""

UNMEASURED = 0.5
"""Probability for a class that validation does not show, or of which nothing is found."""

MAX_CLEAN_SHARE = 5e-5
"""Share of the pixels of clean metal that may be taken for a class."""


def choose_thresholds(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor, Tensor]],
    clean: Iterable[Tensor],
    config: TrainConfig,
) -> dict[str, float]:
    """Return for each class the candidate with the best pooled Dice that keeps clean metal clean.

    Of the candidates at which at most ``MAX_CLEAN_SHARE`` of clean metal is taken for the class,
    the one with the best Dice; the highest candidate where none is good enough.

    Args:
        model: Maps normalised images to logits.
        batches: uint8 image, target bits and known bits, as of ``examples``.
        clean: uint8 images ``[N, 1, H, W]`` of metal without a defect.
        config: The run.

    Returns:
        Probability by class name, 0–1.
    """
    dice = _dice(model, batches, config)
    share = _clean_share(model, clean, config)
    chosen: dict[str, float] = {}
    for index, name in enumerate(config.classes):
        quiet = share[:, index] <= MAX_CLEAN_SHARE
        quiet[-1] = True
        of_class = torch.where(quiet, dice[:, index], -1.0)
        measured = bool(dice[:, index].any())
        chosen[name] = CANDIDATES[int(of_class.argmax())] if measured else UNMEASURED
    return chosen


def _dice(
    model: nn.Module, batches: Iterable[tuple[Tensor, Tensor, Tensor]], config: TrainConfig
) -> Tensor:
    """Return pooled Dice, float32 ``[candidates, classes]``."""
    classes = len(config.classes)
    both = torch.zeros(len(CANDIDATES), classes)
    total = torch.zeros(len(CANDIDATES), classes)
    with torch.no_grad():
        for image_N1HW, target_N1HW, known_N1HW in batches:
            known_NCHW = unpack(known_N1HW, classes=classes)
            truth_NCHW = unpack(target_N1HW, classes=classes) * known_NCHW
            probability_NCHW = torch.sigmoid(model(normalise(image_N1HW, config)))
            for index, candidate in enumerate(CANDIDATES):
                predicted_NCHW = (probability_NCHW >= candidate).float() * known_NCHW
                both[index] += (predicted_NCHW * truth_NCHW).sum((0, 2, 3))
                total[index] += (predicted_NCHW + truth_NCHW).sum((0, 2, 3))
    return 2 * both / total.clamp(min=1)


def _clean_share(model: nn.Module, clean: Iterable[Tensor], config: TrainConfig) -> Tensor:
    """Return the share of clean pixels per candidate, float32 ``[candidates, classes]``."""
    above = torch.zeros(len(CANDIDATES), len(config.classes))
    pixels = 0
    with torch.no_grad():
        for image_N1HW in clean:
            probability_NCHW = torch.sigmoid(model(normalise(image_N1HW, config)))
            pixels += image_N1HW.numel()
            for index, candidate in enumerate(CANDIDATES):
                above[index] += (probability_NCHW >= candidate).sum((0, 2, 3))
    return above / max(pixels, 1)

"""Scores of a checkpoint, counted apart from the training."""

from pathlib import Path

import torch

from stripscan.dataset.neu import find_samples
from stripscan.dataset.split import Split
from stripscan.train.checkpoint import Checkpoint
from stripscan.train.loaders import Share, validation_batches
from stripscan.train.module import Batch, normalise


def validation_dice(checkpoint: Checkpoint, data: Path, split: Split) -> float:
    """Return the mean Dice of the classes over all validation pictures, at probability 0.5."""
    samples = [sample for sample in find_samples(data) if sample.name in split.val]
    both, total = torch.zeros(6), torch.zeros(6)
    net = checkpoint.build()
    for batch in validation_batches(samples, checkpoint.config, Share()):
        planes = Batch.of(batch, classes=6)
        with torch.no_grad():
            found = (net(normalise(planes.image_N1HW, checkpoint.config)) > 0).float()
        found, truth = found * planes.known_NCHW, planes.target_NCHW * planes.known_NCHW
        both += (found * truth).sum((0, 2, 3))
        total += (found + truth).sum((0, 2, 3))
    return float((2 * both / total.clamp(min=1)).mean())

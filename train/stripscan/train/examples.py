"""Examples for the network: real images with their labels, and tiles of simulated strip."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from stripscan.contract.graph import SIZE_MULTIPLE_PX
from stripscan.dataset.samples import Labelled, Sample, load
from stripscan.simulation.tiles import sample_tile
from stripscan.train.augment import Augmented, Augmenter, padded
from stripscan.train.config import TrainConfig

_VALIDATION_TILE_PX = 200

Example = tuple[Tensor, Tensor, Tensor]
"""uint8 image, target bits and known bits, each ``[1, S, S]``; see ``augment.Augmented``."""


def _tensors(example: Augmented) -> Example:
    return (
        torch.from_numpy(example.image)[None],
        torch.from_numpy(example.target)[None],
        torch.from_numpy(example.known)[None],
    )


def _simulated(rng: np.random.Generator, config: TrainConfig, size_px: int) -> Labelled:
    defects = 0 if rng.random() < config.data.clean else None
    image, mask = sample_tile(rng, size_px, defects=defects)
    ids = np.arange(1, len(config.classes) + 1, dtype=np.uint8)
    target = mask[None] == ids[:, None, None]
    return Labelled(image=image, target=target, known=np.ones_like(target))


class TrainExamples(Dataset[Example]):
    """Augmented real images, followed by simulated tiles that are drawn anew in each epoch.

    Args:
        samples: Real samples; they are read once and kept.
        config: The run.
    """

    def __init__(self, samples: Sequence[Sample], config: TrainConfig) -> None:
        self._config = config
        self._real = [load(sample) for sample in samples]
        self._simulated = round(config.data.simulated * len(self._real))
        self._augmenter = Augmenter(crop_px=config.input.crop_px, seed=config.seed)
        self._epoch = 0

    def __len__(self) -> int:
        return len(self._real) + self._simulated

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose random tiles and variants come next."""
        self._epoch = epoch
        self._augmenter = Augmenter(
            crop_px=self._config.input.crop_px, seed=self._config.seed * 10_007 + epoch
        )

    def __getitem__(self, index: int) -> Example:
        if index < len(self._real):
            labelled = self._real[index]
        else:
            rng = np.random.default_rng((self._config.seed, self._epoch, index))
            labelled = _simulated(rng, self._config, self._config.input.crop_px + 8)
        return _tensors(self._augmenter(labelled.image, labelled.target, labelled.known))


class ValidationExamples(Dataset[Example]):
    """Real images as they are, padded, and a fixed set of simulated tiles."""

    def __init__(self, samples: Sequence[Sample], config: TrainConfig) -> None:
        self._config = config
        self._real = [load(sample) for sample in samples]
        self._simulated = round(config.data.simulated * len(self._real))

    def __len__(self) -> int:
        return len(self._real) + self._simulated

    def __getitem__(self, index: int) -> Example:
        if index < len(self._real):
            labelled = self._real[index]
        else:
            rng = np.random.default_rng((self._config.seed + 1, index))
            labelled = _simulated(rng, self._config, _VALIDATION_TILE_PX)
        return _tensors(
            padded(labelled.image, labelled.target, labelled.known, multiple=SIZE_MULTIPLE_PX)
        )

    def batches(self, size: int) -> list[list[int]]:
        """Return the indices in batches of at most ``size`` examples, each of one shape."""
        shapes = [labelled.image.shape for labelled in self._real]
        shapes += [(_VALIDATION_TILE_PX, _VALIDATION_TILE_PX)] * self._simulated
        alike: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for index, shape in enumerate(shapes):
            alike[tuple(-(-side // SIZE_MULTIPLE_PX) for side in shape)].append(index)
        return [
            indices[start : start + size]
            for indices in alike.values()
            for start in range(0, len(indices), size)
        ]


def clean_metal(config: TrainConfig, *, tiles: int = 256, size_px: int = 256) -> Iterator[Tensor]:
    """Yield tiles of simulated metal without a defect, always the same, uint8 ``[1, 1, S, S]``."""
    rng = np.random.default_rng((config.seed, 2))
    for _ in range(tiles):
        image, _ = sample_tile(rng, size_px, defects=0)
        yield torch.from_numpy(image)[None, None]

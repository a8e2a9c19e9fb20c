"""Examples for the network: real images with their labels, and tiles of simulated strip."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from stripscan.contract.graph import SIZE_MULTIPLE_PX
from stripscan.dataset.samples import Labelled, Sample, load
from stripscan.simulation.tiles import sample_tile
from stripscan.train.augment import Augmented, Augmenter, padded, planes_of
from stripscan.train.config import TrainConfig

KEPT_BYTES = 2 << 30
"""How much of the images and labels is kept in memory; the rest is read when it is its turn."""

_VALIDATION_TILE_PX = 200

Example = tuple[Tensor, Tensor]
"""uint8 image ``[1, S, S]`` and label bits ``[4, S, S]``; see ``augment.TARGET`` and on."""


def _tensors(example: Augmented) -> Example:
    return torch.from_numpy(example.image)[None], torch.from_numpy(example.labels)


def _simulated(rng: np.random.Generator, config: TrainConfig, size_px: int) -> Labelled:
    defects = 0 if rng.random() < config.data.clean else None
    image, mask = sample_tile(rng, size_px, defects=defects)
    ids = np.arange(1, len(config.classes) + 1, dtype=np.uint8)
    target = mask[None] == ids[:, None, None]
    return Labelled(image=image, target=target, known=np.ones_like(target))


Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""An image ``[H, W]`` and its labels as planes of bits ``[H, W, 4]``."""


def _pair(labelled: Labelled) -> Pair:
    return labelled.image, planes_of(labelled)


class _Pictures:
    """Real images with their labels, kept in memory as long as they fit."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._samples = samples
        self._kept: list[Pair] = []
        self.shapes: list[tuple[int, int]] = []
        room = KEPT_BYTES
        for sample in samples:  # all are read once, so that a damaged one is found now
            image, planes = _pair(load(sample))
            self.shapes.append((image.shape[0], image.shape[1]))
            room -= image.nbytes + planes.nbytes
            if room >= 0:
                self._kept.append((image, planes))

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> Pair:
        if index < len(self._kept):
            return self._kept[index]
        return _pair(load(self._samples[index]))


class TrainExamples(Dataset[Example]):
    """Augmented real images, followed by simulated tiles that are drawn anew in each epoch.

    Args:
        samples: Real samples.
        config: The run.
    """

    def __init__(self, samples: Sequence[Sample], config: TrainConfig) -> None:
        self._config = config
        self._real = _Pictures(samples)
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
            return _tensors(self._augmenter(*self._real[index]))
        rng = np.random.default_rng((self._config.seed, self._epoch, index))
        drawn = _simulated(rng, self._config, self._config.input.crop_px + 8)
        return _tensors(self._augmenter(*_pair(drawn)))


class ValidationExamples(Dataset[Example]):
    """Real images as they are, padded, and a fixed set of simulated tiles."""

    def __init__(self, samples: Sequence[Sample], config: TrainConfig) -> None:
        self._config = config
        self._real = _Pictures(samples)
        self._simulated = round(config.data.simulated * len(self._real))

    def __len__(self) -> int:
        return len(self._real) + self._simulated

    def __getitem__(self, index: int) -> Example:
        if index < len(self._real):
            return _tensors(padded(*self._real[index], multiple=SIZE_MULTIPLE_PX))
        rng = np.random.default_rng((self._config.seed + 1, index))
        drawn = _simulated(rng, self._config, _VALIDATION_TILE_PX)
        return _tensors(padded(*_pair(drawn), multiple=SIZE_MULTIPLE_PX))

    def batches(self, size: int) -> list[list[int]]:
        """Return the indices in batches of at most ``size`` examples, each of one shape."""
        shapes = list(self._real.shapes)
        shapes += [(_VALIDATION_TILE_PX, _VALIDATION_TILE_PX)] * self._simulated
        alike: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for index, shape in enumerate(shapes):
            alike[tuple(-(-side // SIZE_MULTIPLE_PX) for side in shape)].append(index)
        return [
            indices[start : start + size]
            for indices in alike.values()
            for start in range(0, len(indices), size)
        ]


def clean_metal(config: TrainConfig, *, size_px: int = 256) -> Iterator[Tensor]:
    """Yield tiles of simulated metal without a defect, always the same, uint8 ``[1, 1, S, S]``.

    They cover ``TrainConfig.clean_m2``.
    """
    tile_m2 = (size_px * config.input.mm_per_px / 1000) ** 2
    rng = np.random.default_rng((config.seed, 2))
    for _ in range(math.ceil(config.clean_m2 / tile_m2)):
        image, _ = sample_tile(rng, size_px, defects=0)
        yield torch.from_numpy(image)[None, None]

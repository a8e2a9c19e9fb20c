"""Examples for the gate: reduced images, and which of their cells hold a defect."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from stripscan.contract.classes import CLASS_ID
from stripscan.dataset.reduction import reduced
from stripscan.dataset.samples import Labelled, Sample, load
from stripscan.simulation.tiles import sample_tile
from stripscan.train.augment import KNOWN, TARGET, Augmenter, planes_of
from stripscan.train.checkpoint import Checkpoint
from stripscan.train.gate_net import CELL_PX, GateConfig

SIDE_PX = 192
"""Side of an example: what both a picture of NEU and a tile of a station can give."""

_SIMULATED_CHECKS = 3
"""Simulated tiles for each real picture that defects are counted on: shares of 0.5 % need many."""

_REACH_PX = 3
"""A defect marks cells that it comes so near: its dim border is part of it."""

_ALL = (1 << len(CLASS_ID)) - 1

Mask = NDArray[np.uint8]
Cells = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellExamples:
    """Examples of one part.

    Attributes:
        image: uint8 ``[N, 2, 48, 48]``, reduced.
        defect: bool ``[N, 12, 12]``: cells that hold a defect.
        known: bool ``[N, 12, 12]``: cells of which it is known whether they do.
    """

    image: NDArray[np.uint8]
    defect: Cells
    known: Cells


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundDefect:
    """A defect that the segmenter finds.

    Attributes:
        class_name: Class of most of its pixels.
        cells: bool ``[12, 12]``: cells with its pixels.
    """

    class_name: str
    cells: Cells


class Teacher:
    """The segmenter whose detections the gate must pass.

    Args:
        checkpoint: What was trained.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        config = checkpoint.config
        self._model: nn.Module = checkpoint.build()
        self._gain, self._offset = (
            1 / (255 * config.input.std),
            -config.input.mean / config.input.std,
        )
        limits = [checkpoint.thresholds[name] for name in config.classes]
        self._limits = torch.logit(torch.tensor(limits))[:, None, None]

    @torch.inference_mode()
    def mask(self, image: Mask) -> Mask:
        """Return class ids, uint8 ``[S, S]``, of an image of that size."""
        x_11HW = torch.from_numpy(image)[None, None].float() * self._gain + self._offset
        logits_CHW = self._model(x_11HW)[0]
        counted_CHW = torch.where(logits_CHW >= self._limits, logits_CHW, -1e4)
        best_HW, index_HW = counted_CHW.max(dim=0)
        mask = torch.where(best_HW > -1e4, index_HW + 1, 0).numpy().astype(np.uint8)
        return np.asarray(mask, np.uint8)


def training_examples(
    samples: Sequence[Sample], teacher: Teacher, config: GateConfig
) -> CellExamples:
    """Return changed real pictures and simulated tiles to learn from.

    A cell of a real picture holds a defect where the label or the segmenter says so; of a
    simulated tile, where one was drawn.
    """
    return _stacked(_drawn(samples, teacher, config))


def _drawn(
    samples: Sequence[Sample], teacher: Teacher, config: GateConfig
) -> Iterator[tuple[Mask, Cells, Cells]]:
    augmenter = Augmenter(crop_px=SIDE_PX, seed=config.seed)
    for sample in samples:
        labelled = load(sample)
        planes = planes_of(labelled)
        for _ in range(config.variants):
            drawn = augmenter(labelled.image, planes)
            found = teacher.mask(drawn.image) > 0
            target, known = drawn.labels[TARGET] > 0, drawn.labels[KNOWN] == _ALL
            yield _example(drawn.image, target | found, known)
    rng = np.random.default_rng((config.seed, 41))
    for _ in range(round(config.simulated * config.variants * len(samples))):
        defects = 0 if rng.random() < config.clean else None
        image, mask = sample_tile(rng, SIDE_PX, defects=defects)
        yield _example(image, mask > 0, np.ones_like(mask, bool))


def _example(image: Mask, defect: Cells, known: Cells) -> tuple[Mask, Cells, Cells]:
    near = cells_of(defect, reach_px=_REACH_PX)
    holds = cells_of(defect)
    # Cells beside a defect may be marked or not, and so may those that nobody has labelled.
    return reduced(image), holds, (holds | (cells_of(known, every=True) & ~near))


def cells_of(pixels: Cells, *, reach_px: int = 0, every: bool = False) -> Cells:
    """Return which cells have any of the pixels, or have nothing else.

    Args:
        pixels: bool ``[H, W]``, sides multiples of ``CELL_PX``.
        reach_px: How far the pixels reach out.
        every: Whether all pixels of a cell must be among them.
    """
    if reach_px:
        kernel = np.ones((2 * reach_px + 1, 2 * reach_px + 1), np.uint8)
        pixels = np.asarray(cv2.dilate(pixels.astype(np.uint8), kernel), bool)
    lines, width = pixels.shape
    cells = pixels.reshape(lines // CELL_PX, CELL_PX, width // CELL_PX, CELL_PX)
    return np.asarray(cells.all(axis=(1, 3)) if every else cells.any(axis=(1, 3)))


def _stacked(drawn: Iterator[tuple[Mask, Cells, Cells]]) -> CellExamples:
    image, defect, known = (np.stack(part) for part in zip(*drawn, strict=True))
    return CellExamples(image=image, defect=defect, known=known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A picture with the defects that the segmenter finds in it, rightly as far as is known.

    Attributes:
        image: uint8 ``[2, 48, 48]``, reduced.
        defects: They.
    """

    image: NDArray[np.uint8]
    defects: tuple[FoundDefect, ...]


def checked_pictures(
    samples: Sequence[Sample], teacher: Teacher, least_px: dict[str, int], *, seed: int
) -> Iterator[Checked]:
    """Yield parts of real pictures and more simulated tiles, with what the segmenter finds.

    Args:
        samples: Pictures that were not learned from.
        teacher: The segmenter.
        least_px: Smallest defect by class name, in pixels.
        seed: Of the simulated tiles.
    """
    for sample in samples:
        labelled = load(sample)
        possible = np.asarray(labelled.target.any(axis=0) | ~labelled.known.all(axis=0))
        for part in _parts(labelled):
            yield _checked(labelled.image[part], possible[part], teacher, least_px)
    rng = np.random.default_rng((seed, 43))
    for _ in range(_SIMULATED_CHECKS * len(samples)):
        image, mask = sample_tile(rng, SIDE_PX)
        yield _checked(image, mask > 0, teacher, least_px)


def _parts(labelled: Labelled) -> Iterator[tuple[slice, slice]]:
    lines, width = labelled.image.shape
    for top in range(0, lines - SIDE_PX + 1, SIDE_PX):
        for left in range(0, width - SIDE_PX + 1, SIDE_PX):
            yield slice(top, top + SIDE_PX), slice(left, left + SIDE_PX)


def _checked(image: Mask, possible: Cells, teacher: Teacher, least_px: dict[str, int]) -> Checked:
    mask = teacher.mask(np.ascontiguousarray(image))
    _, labels = cv2.connectedComponents((mask > 0).astype(np.uint8), connectivity=8)
    names = {number: name for name, number in CLASS_ID.items()}
    defects = []
    for number in range(1, int(labels.max()) + 1):
        component = np.asarray(labels == number)
        class_name = names[int(np.bincount(mask[component]).argmax())]
        # What the segmenter finds where there is nothing need not pass.
        if component.sum() >= least_px[class_name] and (component & possible).any():
            defects.append(FoundDefect(class_name=class_name, cells=cells_of(component)))
    return Checked(image=reduced(image), defects=tuple(defects))


def clean_tiles(config: GateConfig, *, mm_per_px: float, seed: int) -> Iterator[NDArray[np.uint8]]:
    """Yield reduced tiles of simulated metal without a defect, of ``GateConfig.clean_m2``."""
    rng = np.random.default_rng((seed, 44))
    tile_m2 = (SIDE_PX * mm_per_px / 1000) ** 2
    for _ in range(max(1, round(config.clean_m2 / tile_m2))):
        yield reduced(sample_tile(rng, SIDE_PX, defects=0)[0])

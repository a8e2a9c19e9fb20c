"""Trains a gate on what a segmenter finds, sets its threshold, and counts what it loses."""

import logging
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from stripscan.contract.errors import DataError
from stripscan.train.gate_examples import CellExamples, Checked, FoundDefect
from stripscan.train.gate_net import TILE_CELLS, GateConfig, GateNet

logger = logging.getLogger(__name__)

Logits = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class GateFigures:
    """What a gate passes on.

    Attributes:
        defects: By class name, defects that the segmenter finds.
        passed: By class name, how many of them lie, for the most part, in tiles with a mark.
        clean_tiles: Cores of tiles of simulated clean metal.
        clean_marked: How many of them are marked.
    """

    defects: dict[str, int]
    passed: dict[str, int]
    clean_tiles: int
    clean_marked: int

    @property
    def share_passed(self) -> float:
        """Share of all defects that pass, 0–1."""
        return sum(self.passed.values()) / max(sum(self.defects.values()), 1)

    @property
    def share_clean_marked(self) -> float:
        """Share of clean tiles that have a mark, 0–1."""
        return self.clean_marked / max(self.clean_tiles, 1)


def fit(
    examples: CellExamples, config: GateConfig, *, on_epoch: Callable[[int, float], None]
) -> GateNet:
    """Return a trained network, in evaluation mode.

    Args:
        examples: What to learn from.
        config: How.
        on_epoch: Called with the number of the epoch and its mean loss.
    """
    torch.manual_seed(config.seed)
    rng = np.random.default_rng((config.seed, 42))
    net = GateNet(config.widths)
    count, epochs = len(examples.image), config.epochs
    steps = epochs * math.ceil(count / config.batch)
    optimiser = torch.optim.AdamW(net.parameters(), lr=config.peak_lr, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, config.peak_lr, total_steps=steps)
    for epoch in range(epochs):
        order, losses = rng.permutation(count), []
        for start in range(0, count, config.batch):
            loss = _loss(net, examples, order[start : start + config.batch], config, rng)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
        on_epoch(epoch, float(np.mean(losses)))
    return net.eval()


def _loss(
    net: GateNet,
    examples: CellExamples,
    index: NDArray[np.int64],
    config: GateConfig,
    rng: np.random.Generator,
) -> Tensor:
    image, defect, known = (
        part[index] for part in (examples.image, examples.defect, examples.known)
    )
    for axis in (-1, -2):  # a camera may be mounted either way
        if rng.random() < 0.5:
            image, defect, known = (np.flip(part, axis) for part in (image, defect, known))
    logits_NHW = net(torch.from_numpy(np.ascontiguousarray(image)).float())
    target_NHW = torch.from_numpy(np.ascontiguousarray(defect)).float()
    known_NHW = torch.from_numpy(np.ascontiguousarray(known)).float()
    cells = _weighted(logits_NHW, target_NHW, known_NHW, config)
    return config.cell_weight * cells + _tile_loss(logits_NHW, target_NHW, known_NHW, config)


def _tile_loss(
    logits_NHW: Tensor, target_NHW: Tensor, known_NHW: Tensor, config: GateConfig
) -> Tensor:
    """Return the loss of what matters: whether any cell of a tile is marked, wherever it lies."""

    def pooled(x_NHW: Tensor) -> Tensor:
        return functional.max_pool2d(x_NHW[:, None], TILE_CELLS, stride=2)[:, 0]

    holds_NHW = pooled(target_NHW)
    # A tile without a defect is one for sure only if it is known of all of its cells.
    sure_NHW = torch.maximum(holds_NHW, 1 - pooled(1 - known_NHW))
    return _weighted(pooled(logits_NHW), holds_NHW, sure_NHW, config)


def _weighted(
    logits_NHW: Tensor, target_NHW: Tensor, known_NHW: Tensor, config: GateConfig
) -> Tensor:
    weight_NHW = known_NHW * (1 + (config.positive_weight - 1) * target_NHW)
    loss_NHW = functional.binary_cross_entropy_with_logits(logits_NHW, target_NHW, reduction="none")
    return (loss_NHW * weight_NHW).sum() / weight_NHW.sum().clamp(min=1)


@torch.inference_mode()
def logits_of(net: GateNet, image: NDArray[np.uint8]) -> Logits:
    """Return the logits of the cells of one reduced image, float32 ``[h, w]``."""
    return np.asarray(net(torch.from_numpy(image)[None].float())[0].numpy(), np.float32)


def passes_at(logits: Logits, defect: FoundDefect) -> float:
    """Return the highest limit at which most of a defect lies in tiles that pass.

    Args:
        logits: float32 ``[h, w]``, whole tiles.
        defect: A defect of the same picture.
    """
    rows, columns = (side // TILE_CELLS for side in logits.shape)
    shape = (rows, TILE_CELLS, columns, TILE_CELLS)
    highest = logits.reshape(shape).max(axis=(1, 3)).ravel()
    cells = defect.cells.reshape(shape).sum(axis=(1, 3)).ravel()
    order = np.argsort(-highest)
    enough = np.cumsum(cells[order]) >= cells.sum() / 2
    return float(highest[order][np.argmax(enough)])


def choose_limit(net: GateNet, pictures: Iterable[Checked], *, passed: float) -> float:
    """Return the highest limit at which enough defects pass.

    Args:
        net: The gate.
        pictures: The validation.
        passed: Least share of their defects, 0–1.

    Raises:
        DataError: The segmenter finds no defect in them.
    """
    best = [
        passes_at(logits, defect)
        for picture in pictures
        if picture.defects
        for logits in (logits_of(net, picture.image),)
        for defect in picture.defects
    ]
    if not best:
        raise DataError(
            "the segmenter finds no defect in the validation pictures: a gate cannot be set "
            "without any; check the split and the checkpoint"
        )
    lost = math.floor((1 - passed) * len(best) + 1e-9)
    return float(np.sort(best)[lost])


def count_passed(
    net: GateNet, limit: float, pictures: Sequence[Checked], clean: Iterable[NDArray[np.uint8]]
) -> GateFigures:
    """Return what a gate passes of defects and of clean metal."""
    defects: Counter[str] = Counter()
    passed: Counter[str] = Counter()
    for picture in pictures:
        logits = logits_of(net, picture.image)
        for defect in picture.defects:
            defects[defect.class_name] += 1
            passed[defect.class_name] += passes_at(logits, defect) >= limit
    tiles = marked = 0
    for image in clean:
        highest = functional.max_pool2d(torch.from_numpy(logits_of(net, image))[None], TILE_CELLS)
        tiles, marked = tiles + highest.numel(), marked + int((highest >= limit).sum())
    return GateFigures(
        defects=dict(sorted(defects.items())),
        passed={name: passed[name] for name in sorted(defects)},
        clean_tiles=tiles,
        clean_marked=marked,
    )

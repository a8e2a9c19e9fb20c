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
from stripscan.train.gate_examples import CellExamples, Checked
from stripscan.train.gate_net import GateConfig, GateNet

logger = logging.getLogger(__name__)

Logits = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class GateFigures:
    """What a gate passes on.

    Attributes:
        defects: By class name, defects that the segmenter finds.
        passed: By class name, how many of them have a marked cell.
        clean_cells: Cells of simulated clean metal.
        clean_marked: How many of them are marked.
    """

    defects: dict[str, int]
    passed: dict[str, int]
    clean_cells: int
    clean_marked: int

    @property
    def share_passed(self) -> float:
        """Share of all defects that pass, 0–1."""
        return sum(self.passed.values()) / max(sum(self.defects.values()), 1)

    @property
    def share_clean_marked(self) -> float:
        """Share of clean cells that are marked, 0–1."""
        return self.clean_marked / max(self.clean_cells, 1)


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
    for axis in (1, 2):  # a camera may be mounted either way
        if rng.random() < 0.5:
            image, defect, known = (np.flip(part, axis) for part in (image, defect, known))
    logits_NHW = net(torch.from_numpy(np.ascontiguousarray(image)).float())
    target_NHW = torch.from_numpy(np.ascontiguousarray(defect)).float()
    weight_NHW = torch.from_numpy(np.ascontiguousarray(known)).float()
    weight_NHW = weight_NHW * (1 + (config.positive_weight - 1) * target_NHW)
    loss_NHW = functional.binary_cross_entropy_with_logits(logits_NHW, target_NHW, reduction="none")
    return (loss_NHW * weight_NHW).sum() / weight_NHW.sum().clamp(min=1)


@torch.inference_mode()
def logits_of(net: GateNet, image: NDArray[np.uint8]) -> Logits:
    """Return the logits of the cells of one reduced image, float32 ``[h, w]``."""
    return np.asarray(net(torch.from_numpy(image)[None].float())[0].numpy(), np.float32)


def choose_limit(net: GateNet, pictures: Iterable[Checked], *, passed: float) -> float:
    """Return the highest logit at which enough defects have a marked cell.

    Args:
        net: The gate.
        pictures: The validation.
        passed: Least share of their defects, 0–1.

    Raises:
        DataError: The segmenter finds no defect in them.
    """
    best = [
        float(logits[defect.cells].max())
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
        marks = logits_of(net, picture.image) >= limit
        for defect in picture.defects:
            defects[defect.class_name] += 1
            passed[defect.class_name] += bool(marks[defect.cells].any())
    cells = marked = 0
    for image in clean:
        marks = logits_of(net, image) >= limit
        cells, marked = cells + marks.size, marked + int(marks.sum())
    return GateFigures(
        defects=dict(sorted(defects.items())),
        passed={name: passed[name] for name in sorted(defects)},
        clean_cells=cells,
        clean_marked=marked,
    )

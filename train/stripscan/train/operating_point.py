"""Thresholds and smallest areas, chosen on validation for a stated false-alarm rate.

Never on test images. For each class, every pair of a threshold and a smallest area is tried. Those
are taken that do best on validation, by pixels (pooled Dice) and by defects (share of them found),
while all classes together raise no more false alarms on clean metal than are allowed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stripscan.dataset.scoring.defects import DefectRules, components
from stripscan.train.config import TrainConfig
from stripscan.train.examples import Example
from stripscan.train.module import Batch, normalise

THRESHOLDS: Final = tuple(round(0.15 + 0.05 * step, 2) for step in range(17))
"""Probabilities that are tried: 0.15 to 0.95."""

AREAS_PX: Final = (30, 60, 120)
"""Smallest areas that are tried."""

UNMEASURED: Final = (0.5, AREAS_PX[0])
"""What a class gets that validation does not show, or of which nothing is found."""

_RULES: Final = DefectRules()
"""What counts as a defect and as found, as in an evaluation."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """Where the model stands between missing defects and crying for nothing.

    Attributes:
        thresholds: Probability by class name from which a pixel counts, 0–1.
        min_area_px: Smallest defect by class name, in pixels.
        false_alarms_per_m2: What it raises on the clean metal that it was chosen on, by class.
    """

    thresholds: dict[str, float]
    min_area_px: dict[str, int]
    false_alarms_per_m2: dict[str, float]


def choose_operating_point(
    model: nn.Module,
    batches: Iterable[Example],
    clean: Iterable[Tensor],
    config: TrainConfig,
) -> OperatingPoint:
    """Choose thresholds and smallest areas.

    All classes together may raise ``TrainConfig.false_alarms_per_m2``. Where no choice is so
    quiet, the quietest is taken.

    Args:
        model: Maps normalised images to logits, masks first.
        batches: Validation images and label bits, as of ``examples``.
        clean: uint8 images ``[N, 1, H, W]`` of metal without a defect.
        config: The run.
    """
    alarms_TAC, area_m2 = _alarms(model, clean, config)
    value_TAC, shown_C = _value(model, batches, config)
    measured_C = shown_C & value_TAC.any(axis=(0, 1))
    allowed = config.false_alarms_per_m2 * area_m2
    chosen_C = _chosen(alarms_TAC, value_TAC, measured_C, allowed=allowed)
    point = OperatingPoint(thresholds={}, min_area_px={}, false_alarms_per_m2={})
    for index, name in enumerate(config.classes):
        threshold, area = chosen_C[index]
        point.thresholds[name] = THRESHOLDS[threshold]
        point.min_area_px[name] = AREAS_PX[area]
        alarms = float(alarms_TAC[threshold, area, index])
        point.false_alarms_per_m2[name] = round(alarms / area_m2, 4) if area_m2 else 0.0
    return point


def _chosen(
    alarms_TAC: NDArray[np.float64],
    value_TAC: NDArray[np.float64],
    measured_C: NDArray[np.bool_],
    *,
    allowed: float,
) -> list[tuple[int, int]]:
    """Return the index of a threshold and of an area for each class.

    All classes pay the same price in value for a false alarm, the lowest at which they stay within
    what is allowed together: so the alarms go to the class that gains most by them.
    """
    middle = (THRESHOLDS.index(UNMEASURED[0]), AREAS_PX.index(UNMEASURED[1]))
    chosen: list[tuple[int, int]] = []
    for price in (0.0, *np.geomspace(1e-4, 1e4, 161)):
        worth_TAC = value_TAC - price * alarms_TAC
        chosen = [
            _best(worth_TAC[:, :, c]) if measured else middle
            for c, measured in enumerate(measured_C)
        ]
        alarms = (alarms_TAC[t, a, c] for c, (t, a) in enumerate(chosen) if measured_C[c])
        if sum(alarms) <= allowed:
            break
    return chosen


def _best(worth_TA: NDArray[np.float64]) -> tuple[int, int]:
    threshold, area = np.unravel_index(int(worth_TA.argmax()), worth_TA.shape)
    return int(threshold), int(area)


def _alarms(
    model: nn.Module, clean: Iterable[Tensor], config: TrainConfig
) -> tuple[NDArray[np.float64], float]:
    """Return the components on clean metal ``[thresholds, areas, classes]``, and its m²."""
    alarms_TAC = np.zeros((len(THRESHOLDS), len(AREAS_PX), len(config.classes)))
    pixels = 0
    for image_N1HW in clean:
        pixels += image_N1HW.numel()
        for probability_CHW in _probabilities(model, image_N1HW, config):
            for c, plane in enumerate(probability_CHW):
                for t, threshold in enumerate(THRESHOLDS):
                    if plane.max() < threshold:
                        break
                    _, areas = components(plane >= threshold)
                    alarms_TAC[t, :, c] += [(areas >= least).sum() for least in AREAS_PX]
    return alarms_TAC, DefectRules(mm_per_px=config.input.mm_per_px).area_m2(pixels)


def _value(
    model: nn.Module, batches: Iterable[Example], config: TrainConfig
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return pooled Dice plus the share of defects found, and which classes are shown."""
    classes = len(config.classes)
    shape = (len(THRESHOLDS), len(AREAS_PX), classes)
    both, total, found = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    labelled = np.zeros(classes)
    for batch in batches:
        planes = Batch.of(batch, classes=classes)
        known_NCHW = planes.known_NCHW.numpy() > 0
        truth_NCHW = (planes.target_NCHW.numpy() > 0) & known_NCHW
        for n, probability_CHW in enumerate(_probabilities(model, planes.image_N1HW, config)):
            for c, probability in enumerate(probability_CHW):
                truth, known = truth_NCHW[n, c], known_NCHW[n, c]
                defects = _Defects(truth)
                labelled[c] += len(defects.areas)
                total[:, :, c] += truth.sum()
                for t, threshold in enumerate(THRESHOLDS):
                    if probability.max() < threshold:
                        break
                    for a, predicted in enumerate(_without_specks(probability >= threshold)):
                        both[t, a, c] += (predicted & truth).sum()
                        total[t, a, c] += (predicted & known).sum()
                        found[t, a, c] += defects.found(predicted)
    shown_C = labelled > 0
    return 2 * both / np.maximum(total, 1) + found / np.maximum(labelled, 1), shown_C


class _Defects:
    """The labelled defects of one class in one image."""

    def __init__(self, truth: Mask) -> None:
        self._numbers, areas = components(truth)
        self._large = np.flatnonzero(areas >= _RULES.min_area_px)
        self.areas = areas[self._large]

    def found(self, predicted: Mask) -> int:
        """Return how many have enough of their pixels predicted."""
        if not len(self._large):
            return 0
        hit = np.bincount(self._numbers[predicted], minlength=int(self._large.max()) + 1)
        return int((hit[self._large] >= _RULES.overlap * self.areas).sum())


def _without_specks(predicted: Mask) -> list[Mask]:
    """Return the mask without components below each of ``AREAS_PX``."""
    numbers, areas = components(predicted)
    return [(areas >= least)[numbers] for least in AREAS_PX]


@torch.no_grad()
def _probabilities(
    model: nn.Module, image_N1HW: Tensor, config: TrainConfig
) -> NDArray[np.float32]:
    """Return float32 ``[N, C, H, W]`` of the mask head."""
    device = next(model.parameters()).device
    logits_NCHW = model(normalise(image_N1HW.to(device), config))[:, : len(config.classes)]
    return torch.sigmoid(logits_NCHW).float().cpu().numpy()

"""Defects and not pixels: which labelled ones are found, and which found ones are there.

A mill counts events: how many defects the system saw and named rightly, and how often it cried for
nothing (VDI/VDE/VDMA 2632 part 3 on the acceptance of classifying systems, parts 4.1 and 4.2 on
surface inspection in flat steel production). docs/reference/evaluation.md defines every figure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from stripscan.contract.classes import NEU_CLASSES
from stripscan.dataset.samples import Labelled
from stripscan.dataset.scoring.metrics import Floats

SIZE_LIMITS_MM2: Final = (5.0, 20.0, 100.0)
SIZES: Final = ("<5", "5-20", "20-100", ">=100")
"""Names of the bins of defect area in mm²; a bin holds its lower limit."""

ROWS: Final = (*(c.name for c in NEU_CLASSES), *SIZES)
"""Rows of ``DefectMatch.counts``: classes first, then sizes; each defect is in one of either."""

LABELLED, DETECTED, CLASSIFIED, PREDICTED, CONFIRMED = range(5)
"""Columns of ``DefectMatch.counts``."""

BORDER_PX: Final = 2
"""How far labels are widened before predictions are held against them: borders are noisy."""

MM2_PER_M2: Final = 1e6

_IDS = len(NEU_CLASSES) + 1
_BORDER = np.ones((2 * BORDER_PX + 1, 2 * BORDER_PX + 1), np.uint8)


@dataclass(frozen=True, slots=True, kw_only=True)
class DefectRules:
    """What counts as a defect, and as found.

    Attributes:
        overlap: Least share of its pixels, above 0 and up to 1.
        min_area_px: Smallest component that counts, in pixels.
        mm_per_px: Pitch of the images in mm, along and across.
    """

    overlap: float = 0.25
    min_area_px: int = 30
    mm_per_px: float = 0.3

    def __post_init__(self) -> None:
        if not 0 < self.overlap <= 1:
            raise ValueError(f"overlap is {self.overlap}: it must be above 0 and up to 1")
        if self.min_area_px < 1 or not self.mm_per_px > 0:
            raise ValueError(
                f"min_area_px is {self.min_area_px}, mm_per_px {self.mm_per_px}: "
                "both must be above 0"
            )

    def area_m2(self, pixels: float) -> float:
        """Return the area of pixels in m²."""
        return pixels * self.mm_per_px**2 / MM2_PER_M2

    def size_bin(self, pixels: int) -> int:
        """Return the index in ``SIZES`` of an area in pixels."""
        return int(np.searchsorted(SIZE_LIMITS_MM2, pixels * self.mm_per_px**2, side="right"))


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledDefect:
    """A component of the label.

    Attributes:
        class_id: Its class.
        area_px: Its pixels.
        detected: Enough of it is predicted as some defect.
        classified: Enough of it is predicted as its class.
    """

    class_id: int
    area_px: int
    detected: bool
    classified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictedDefect:
    """A component of the prediction.

    Attributes:
        class_id: The class of most of its pixels.
        area_px: Its pixels.
        confirmed: Enough of it lies on labelled defects; None where the label says too little.
        false_alarm: It touches neither a labelled defect nor pixels that nobody labelled.
    """

    class_id: int
    area_px: int
    confirmed: bool | None
    false_alarm: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DefectMatch:
    """The defects of one image.

    Attributes:
        labelled: Those of the label.
        predicted: Those of the prediction.
        bare_px: Pixels of metal on which a component would be a false alarm.
    """

    labelled: tuple[LabelledDefect, ...]
    predicted: tuple[PredictedDefect, ...]
    bare_px: int

    @property
    def false_alarms(self) -> int:
        """Number of predicted components that touch no label."""
        return sum(found.false_alarm for found in self.predicted)

    def counts(self, rules: DefectRules) -> NDArray[np.int64]:
        """Return int64 ``[10, 5]``: for each of ``ROWS`` the columns ``LABELLED`` and on."""
        counts = np.zeros((len(ROWS), 5), np.int64)
        for defect in self.labelled:
            hits = [LABELLED]
            hits += [DETECTED] if defect.detected else []
            hits += [CLASSIFIED] if defect.classified else []
            counts[np.ix_(_rows(defect, rules), hits)] += 1
        for found in self.predicted:
            if found.confirmed is not None:
                hits = [PREDICTED, CONFIRMED] if found.confirmed else [PREDICTED]
                counts[np.ix_(_rows(found, rules), hits)] += 1
        return counts


def match_defects(
    mask: NDArray[np.uint8], labelled: Labelled, rules: DefectRules | None = None
) -> DefectMatch:
    """Hold the components of a mask against those of a label.

    Labelled components are of one class each, since labels of classes may overlap. Predicted ones
    are of all classes together, as in the records of an inspection.

    Args:
        mask: uint8 ``[H, W]`` class ids.
        labelled: The label.
        rules: What counts.
    """
    rules = rules or DefectRules()
    near_label = _widened(np.logical_or.reduce(labelled.target))
    near_unknown = _widened(~np.logical_and.reduce(labelled.known)) & ~near_label
    return DefectMatch(
        labelled=tuple(_labelled(mask, labelled, rules)),
        predicted=tuple(_predicted(mask, near_label, near_unknown, rules)),
        bare_px=int(np.count_nonzero(~near_label & ~near_unknown)),
    )


def alarms(mask: NDArray[np.uint8], *, min_area_px: int) -> int:
    """Return how many components of a mask are large enough to be reported."""
    _, areas = components(mask > 0)
    return int(np.count_nonzero(areas >= min_area_px))


def _labelled(
    mask: NDArray[np.uint8], labelled: Labelled, rules: DefectRules
) -> list[LabelledDefect]:
    defects = []
    for index, layer in enumerate(labelled.target & labelled.known):
        if not layer.any():
            continue
        numbers, areas = components(layer)
        any_class = np.bincount(numbers[mask > 0], minlength=len(areas))
        own_class = np.bincount(numbers[mask == index + 1], minlength=len(areas))
        defects += [
            LabelledDefect(
                class_id=index + 1,
                area_px=int(area),
                detected=bool(any_class[number] >= rules.overlap * area),
                classified=bool(own_class[number] >= rules.overlap * area),
            )
            for number, area in enumerate(areas)
            if area >= rules.min_area_px
        ]
    return defects


def _predicted(
    mask: NDArray[np.uint8],
    near_label: NDArray[np.bool_],
    near_unknown: NDArray[np.bool_],
    rules: DefectRules,
) -> list[PredictedDefect]:
    numbers, areas = components(mask > 0)
    count = len(areas)
    classes = majority_classes(numbers, mask, count=count)
    on_label = np.bincount(numbers[near_label], minlength=count)
    on_unknown = np.bincount(numbers[near_unknown], minlength=count)
    found = []
    for number, area in enumerate(areas):
        if area < rules.min_area_px:
            continue
        judged = int(area - on_unknown[number])
        confirmed = bool(on_label[number] >= rules.overlap * judged)
        found.append(
            PredictedDefect(
                class_id=int(classes[number]),
                area_px=int(area),
                confirmed=confirmed if judged >= rules.min_area_px else None,
                false_alarm=not on_label[number] and not on_unknown[number],
            )
        )
    return found


def components(layer: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return 8-connected components: their numbers ``[H, W]``, and the area of each number.

    Number 0 is what lies outside; its area is given as 0.
    """
    _, numbers, stats, _ = cv2.connectedComponentsWithStats(layer.astype(np.uint8), connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA].astype(np.int64)
    areas[0] = 0
    return np.asarray(numbers, np.int32), areas


def majority_classes(
    numbers: NDArray[np.int32], mask: NDArray[np.uint8], *, count: int
) -> NDArray[np.int64]:
    """Return the class of most pixels of each component.

    Args:
        numbers: int32 ``[H, W]`` from ``components``.
        mask: uint8 ``[H, W]`` class ids.
        count: How many numbers there are, 0 included.
    """
    votes = np.bincount((numbers * _IDS + mask).ravel(), minlength=count * _IDS)
    return np.asarray(votes.reshape(count, _IDS)[:, 1:].argmax(axis=1) + 1, np.int64)


def _widened(layer: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray(cv2.dilate(layer.astype(np.uint8), _BORDER) > 0)


def _rows(defect: LabelledDefect | PredictedDefect, rules: DefectRules) -> Sequence[int]:
    return defect.class_id - 1, len(NEU_CLASSES) + rules.size_bin(defect.area_px)


def total(counts: Floats) -> Floats:
    """Return the sum over classes, ``[..., 5]`` of ``[..., 10, 5]``."""
    return np.asarray(counts[..., : len(NEU_CLASSES), :].sum(axis=-2))

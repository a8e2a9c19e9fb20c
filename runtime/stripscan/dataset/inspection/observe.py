"""One image, read once: everything that is counted of it.

Where an image has boxes, a defect is a box; where it has a mask, a defect is an 8-connected
component of one class.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from stripscan.contract.classes import CLASS_ID, NEU_CLASSES
from stripscan.dataset.images import pixel_digest
from stripscan.dataset.inspection.orientation import Floats, small
from stripscan.dataset.samples import LabelKind, Labelled, Sample, load
from stripscan.dataset.voc import read_voc

UNLABELLED: Final = "unlabelled"
"""State of an image of which the label says nothing."""

CLEAN: Final = "clean metal"
"""State of an image that is labelled everywhere, for all classes, and shows no defect."""

HEAT_SIDE: Final = 20
"""Cells of a heat map along each side."""

RING_PX: Final = 8
"""Width of the ring of metal that a defect is compared with."""

SPECK_PX: Final = 10
"""Components of a mask with fewer pixels are specks."""

_LEAST_RING_PX = 16
_BORDER_SHARE = 0.02
_ALL_CLASSES = (1 << len(NEU_CLASSES)) - 1

Bits = NDArray[np.uint8]
"""uint8 ``[H, W]``; bit ``c`` is class id ``c + 1``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """What the label of one image shows of one class.

    Attributes:
        class_id: The class.
        defects: int64 ``[n, 5]``: left, top, width, height, area, in px.
        frame_filling: Defects that reach all four borders, give or take 2 % of the side.
        specks: Components of fewer than ``SPECK_PX`` px; 0 where the label is boxes.
        grey_mean: Mean grey level of the labelled pixels, 0-255.
        grey_std: Their standard deviation.
        contrast: Their mean less that of the metal in a ring of ``RING_PX`` around them, in grey
            levels; None where no metal without a label is near.
        where: float32 ``[20, 20]``, share of each cell that is labelled.
    """

    class_id: int
    defects: NDArray[np.int64]
    frame_filling: int
    specks: int
    grey_mean: float
    grey_std: float
    contrast: float | None
    where: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One image.

    Attributes:
        sample: Its sample.
        digest: ``pixel_digest`` of its pixels.
        state: ``boxes``, ``mask``, ``UNLABELLED`` or ``CLEAN``.
        grey_mean: Mean grey level, 0-255.
        grey_std: Standard deviation of the grey level.
        marked: The classes that its label shows, by id.
        overlapping: Pairs of class ids that share pixels.
        label: Its label; boxes are filled.
        known: Where and for which classes the label says something.
        small: What orientations are compared by.
    """

    sample: Sample
    digest: str
    state: str
    grey_mean: float
    grey_std: float
    marked: tuple[Marked, ...]
    overlapping: tuple[tuple[int, int], ...]
    label: Bits
    known: Bits
    small: Floats


def observe(sample: Sample) -> Observation:
    """Read one sample.

    Raises:
        DataError: The image or the label cannot be used.
    """
    labelled = load(sample)
    layers = drawn(sample, labelled)
    label, known = _bits(layers), _known_bits(sample, labelled)
    mean, deviation = cv2.meanStdDev(labelled.image)
    shown = [i for i, layer in enumerate(layers) if layer.any()]
    free = ((label == 0) & (known != 0)).astype(np.uint8)
    defects = _defects(sample, layers, shown)
    return Observation(
        sample=sample,
        digest=pixel_digest(labelled.image),
        state=_state(sample, label, known),
        grey_mean=float(mean[0, 0]),
        grey_std=float(deviation[0, 0]),
        marked=tuple(
            _marked(
                i + 1,
                labelled.image,
                layers[i].astype(np.uint8),
                free=free,
                defects=defects[i],
                kind=sample.kind,
            )
            for i in shown
        ),
        overlapping=_overlapping(layers, shown),
        label=label,
        known=known,
        small=small(labelled.image),
    )


def drawn(sample: Sample, labelled: Labelled) -> NDArray[np.bool_]:
    """Return the label ``[6, H, W]`` as it was drawn, boxes filled."""
    if sample.kind is LabelKind.BOXES and labelled.boxes is not None:
        return labelled.boxes
    return labelled.target


def _bits(layers: NDArray[np.bool_]) -> Bits:
    packed = np.zeros(layers.shape[1:], np.uint8)
    for i, layer in enumerate(layers):
        packed |= layer.view(np.uint8) << np.uint8(i)
    return packed


def _known_bits(sample: Sample, labelled: Labelled) -> Bits:
    if sample.kind is LabelKind.BOXES and labelled.boxes is not None:
        # What lies inside a box is unknown to a model, but not to someone who compares boxes.
        named = sum(1 << (CLASS_ID[name] - 1) for name in sample.classes_known)
        return np.full(labelled.image.shape, named, np.uint8)
    return _bits(labelled.known)


def _state(sample: Sample, label: Bits, known: Bits) -> str:
    if not known.any():
        return UNLABELLED
    if not label.any() and bool((known == _ALL_CLASSES).all()):
        return CLEAN
    return str(sample.kind)


def _defects(
    sample: Sample, layers: NDArray[np.bool_], shown: list[int]
) -> dict[int, NDArray[np.int64]]:
    """Return int64 ``[n, 5]`` by layer: left, top, width, height, area."""
    if sample.kind is LabelKind.BOXES and sample.label is not None:
        rows: dict[int, list[tuple[int, ...]]] = {i: [] for i in shown}
        for box in read_voc(sample.label):
            width, height = box.right - box.left, box.bottom - box.top
            rows[CLASS_ID[box.class_name] - 1].append(
                (box.left, box.top, width, height, width * height)
            )
        return {i: np.array(found, np.int64) for i, found in rows.items()}
    return {
        i: cv2.connectedComponentsWithStats(layers[i].astype(np.uint8), connectivity=8)[2][
            1:
        ].astype(np.int64)
        for i in shown
    }


def _marked(
    class_id: int,
    image: NDArray[np.uint8],
    layer: NDArray[np.uint8],
    *,
    free: NDArray[np.uint8],
    defects: NDArray[np.int64],
    kind: LabelKind,
) -> Marked:
    mean, deviation = cv2.meanStdDev(image, mask=layer)
    side = 2 * RING_PX + 1
    ring = cv2.bitwise_and(cv2.dilate(layer, np.ones((side, side), np.uint8)), free)
    enough = cv2.countNonZero(ring) >= _LEAST_RING_PX
    around = float(cv2.mean(image, mask=ring)[0]) if enough else None
    height, width = image.shape
    left, top, across, down, area = defects.T
    near_x, near_y = width * _BORDER_SHARE, height * _BORDER_SHARE
    filling = (left <= near_x) & (left + across >= width - near_x)
    filling &= (top <= near_y) & (top + down >= height - near_y)
    where = cv2.resize(
        layer.astype(np.float32), (HEAT_SIDE, HEAT_SIDE), interpolation=cv2.INTER_AREA
    )
    return Marked(
        class_id=class_id,
        defects=defects,
        frame_filling=int(filling.sum()),
        specks=int((area < SPECK_PX).sum()) if kind is LabelKind.MASK else 0,
        grey_mean=float(mean[0, 0]),
        grey_std=float(deviation[0, 0]),
        contrast=None if around is None else float(mean[0, 0]) - around,
        where=np.asarray(where, np.float32),
    )


def _overlapping(layers: NDArray[np.bool_], shown: list[int]) -> tuple[tuple[int, int], ...]:
    return tuple(
        (first + 1, second + 1)
        for at, first in enumerate(shown)
        for second in shown[at + 1 :]
        if (layers[first] & layers[second]).any()
    )

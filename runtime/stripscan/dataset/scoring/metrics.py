"""Counts of the pixels of one image, and the figures of one class.

With the pixels that a label knows, and for class ``c``: ``tp`` predicted and labelled ``c``,
``fp`` predicted only, ``fn`` labelled only.

====================  =====================================================================
Dice                  2 tp / (2 tp + fp + fn)
IoU                   tp / (tp + fp + fn)
precision             tp / (tp + fp)
recall                tp / (tp + fn)
====================  =====================================================================
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stripscan.contract.classes import NEU_CLASSES

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageCounts:
    """Pixels of one image; index 0 is background, else the class id.

    A pixel is background where no class is set. It counts only where all classes are known.

    Attributes:
        tp: int64 ``[7]``, predicted and labelled.
        fp: int64 ``[7]``, predicted only.
        fn: int64 ``[7]``, labelled only.
    """

    tp: Counts
    fp: Counts
    fn: Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScore:
    """Figures of one class, 0-1; None where the denominator is zero."""

    dice: float | None
    iou: float | None
    precision: float | None
    recall: float | None


def one_hot(mask: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return ``[6, H, W]`` of a class-id mask ``[H, W]``; channel ``c`` is class id ``c + 1``.

    Raises:
        ValueError: The mask is not uint8 ``[H, W]`` or holds an id that is no class.
    """
    if mask.dtype != np.uint8 or mask.ndim != 2:
        raise ValueError(f"a mask must be uint8 [H, W], not {mask.dtype} {list(mask.shape)}")
    if mask.size and int(mask.max()) > len(NEU_CLASSES):
        raise ValueError(f"a mask holds class id {mask.max()}; the highest is {len(NEU_CLASSES)}")
    ids = np.array([c.id for c in NEU_CLASSES], np.uint8)
    return np.asarray(mask[None] == ids[:, None, None])


def boxed(mask: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return the filled bounding boxes ``[6, H, W]`` of the components of each class.

    Components are 8-connected. Boxes of different classes may overlap, as labelled boxes do.
    """
    layers = one_hot(mask)
    out = np.zeros_like(layers)
    for layer, boxes in zip(layers, out, strict=True):
        if not layer.any():
            continue
        _, _, stats, _ = cv2.connectedComponentsWithStats(layer.astype(np.uint8), connectivity=8)
        for left, top, width, height, _ in stats[1:].tolist():
            boxes[top : top + height, left : left + width] = True
    return out


def count(
    predicted: NDArray[np.bool_], target: NDArray[np.bool_], known: NDArray[np.bool_]
) -> ImageCounts:
    """Count one image.

    Args:
        predicted: bool ``[6, H, W]``.
        target: bool ``[6, H, W]``.
        known: bool ``[6, H, W]``; pixels where it is False are left out.

    Raises:
        ValueError: The shapes differ.
    """
    if not predicted.shape == target.shape == known.shape:
        raise ValueError(
            f"shapes differ: predicted {list(predicted.shape)}, target {list(target.shape)}, "
            f"known {list(known.shape)}"
        )
    all_known = np.logical_and.reduce(known)
    p, t = predicted & known, target & known
    clear_p, clear_t = (~np.logical_or.reduce(side) & all_known for side in (predicted, target))
    tp = _pixels(clear_p & clear_t, p & t)
    return ImageCounts(tp=tp, fp=_pixels(clear_p, p) - tp, fn=_pixels(clear_t, t) - tp)


def _pixels(background: NDArray[np.bool_], layers: NDArray[np.bool_]) -> Counts:
    return np.array([np.count_nonzero(layer) for layer in (background, *layers)], np.int64)


def dice_of(tp: NDArray[Any], fp: NDArray[Any], fn: NDArray[Any]) -> Floats:
    """Return Dice; NaN where nothing is labelled and nothing predicted."""
    return ratio(2 * tp, 2 * tp + fp + fn)


def iou_of(tp: NDArray[Any], fp: NDArray[Any], fn: NDArray[Any]) -> Floats:
    """Return IoU; NaN where nothing is labelled and nothing predicted."""
    return ratio(tp, tp + fp + fn)


def ratio(part: NDArray[Any], whole: NDArray[Any]) -> Floats:
    """Return ``part / whole``, NaN where ``whole`` is zero."""
    some = np.asarray(whole) > 0
    return np.asarray(np.where(some, part / np.where(some, whole, 1), np.nan), np.float64)


def class_score(counts: ImageCounts, class_id: int) -> ClassScore:
    """Return the figures of one class, or of background with id 0."""
    tp, fp, fn = (side[class_id] for side in (counts.tp, counts.fp, counts.fn))
    return ClassScore(
        dice=number(dice_of(tp, fp, fn)),
        iou=number(iou_of(tp, fp, fn)),
        precision=number(ratio(tp, tp + fp)),
        recall=number(ratio(tp, tp + fn)),
    )


def number(figure: Floats) -> float | None:
    """Return a figure without dimensions as a number, None where it is NaN."""
    return None if np.isnan(figure) else float(figure)

"""Counts per image, and the figures computed from them.

With the pixels that a label knows, and for class ``c``: ``tp`` predicted and labelled ``c``,
``fp`` predicted only, ``fn`` labelled only.

====================  =====================================================================
Dice                  2 tp / (2 tp + fp + fn)
IoU                   tp / (tp + fp + fn)
precision             tp / (tp + fp)
recall                tp / (tp + fn)
====================  =====================================================================

*Pooled* adds the counts of all images before dividing, so large defects weigh more. *Per image*
divides first and then takes the mean over images.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stripscan.contract.classes import BACKGROUND, NEU_CLASSES

Counts = NDArray[np.int64]


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
    """Pooled figures of one class, 0-1; None where the denominator is zero."""

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

    def with_background(layers: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return np.concatenate([~layers.any(axis=0, keepdims=True), layers])

    asked = np.concatenate([known.all(axis=0, keepdims=True), known])
    p, t = with_background(predicted), with_background(target)
    return ImageCounts(
        tp=(p & t & asked).sum(axis=(1, 2), dtype=np.int64),
        fp=(p & ~t & asked).sum(axis=(1, 2), dtype=np.int64),
        fn=(~p & t & asked).sum(axis=(1, 2), dtype=np.int64),
    )


def dice_per_image(counts: Iterable[ImageCounts], classes: Sequence[int]) -> float | None:
    """Return the mean over images of ``2 tp / (2 tp + fp + fn)``, classes added up first.

    An image whose truth is empty scores 1 if the prediction is empty, else 0.

    Args:
        counts: The images.
        classes: Class ids that are looked at.

    Returns:
        0-1, or None without images.
    """
    chosen = list(classes)
    scores: list[float] = []
    for image in counts:
        tp, fp, fn = (int(side[chosen].sum()) for side in (image.tp, image.fp, image.fn))
        total = 2 * tp + fp + fn
        scores.append(2 * tp / total if total else 1.0)
    return float(np.mean(scores)) if scores else None


def dice_original(counts: Iterable[ImageCounts]) -> float | None:
    """Return Dice as the original project reports it: per image, all classes flattened."""
    return dice_per_image(counts, [c.id for c in NEU_CLASSES])


def miou_pooled(
    counts: Iterable[ImageCounts], classes: Sequence[int], *, with_background: bool = False
) -> float | None:
    """Return the mean over classes of the pooled IoU.

    A class that is neither labelled nor predicted in any image is left out of the mean.

    Returns:
        0-1, or None where no class is left.
    """
    chosen = [BACKGROUND, *classes] if with_background else list(classes)
    pooled = pool(counts)
    ious = [score.iou for score in (class_score(pooled, i) for i in chosen)]
    valid = [iou for iou in ious if iou is not None]
    return float(np.mean(valid)) if valid else None


def pool(counts: Iterable[ImageCounts]) -> ImageCounts:
    """Return the sum of the counts; zeros without images."""
    total = np.zeros((3, len(NEU_CLASSES) + 1), np.int64)
    for image in counts:
        total += np.stack([image.tp, image.fp, image.fn])
    return ImageCounts(tp=total[0], fp=total[1], fn=total[2])


def class_score(pooled: ImageCounts, class_id: int) -> ClassScore:
    """Return the figures of one class, or of background with id 0."""
    tp, fp, fn = (int(side[class_id]) for side in (pooled.tp, pooled.fp, pooled.fn))
    return ClassScore(
        dice=_ratio(2 * tp, 2 * tp + fp + fn),
        iou=_ratio(tp, tp + fp + fn),
        precision=_ratio(tp, tp + fp),
        recall=_ratio(tp, tp + fn),
    )


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None

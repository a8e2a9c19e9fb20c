"""Figures of merit as functions of summed counts, for one sum or for a thousand at once."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.classes import BACKGROUND, CLASS_ID, NEU_CLASSES
from stripscan.dataset.samples import PIXEL_CLASSES, LabelKind, Labelled, Sample
from stripscan.dataset.scoring.calibration import (
    BINS,
    expected_calibration_error,
    reliability_counts,
)
from stripscan.dataset.scoring.defects import (
    CLASSIFIED,
    CONFIRMED,
    DETECTED,
    LABELLED,
    PREDICTED,
    ROWS,
    DefectMatch,
    DefectRules,
    total,
)
from stripscan.dataset.scoring.metrics import (
    Counts,
    Floats,
    ImageCounts,
    boxed,
    count,
    dice_of,
    iou_of,
    one_hot,
    ratio,
)
from stripscan.dataset.scoring.segmented import Segmented

SHAPES: Final[Mapping[str, tuple[int, ...]]] = {
    "images_with_boxes": (),
    "images_with_masks": (),
    "positive": (),
    "positive_dice": (),
    "positive_iou": (),
    "negative": (),
    "negative_dice": (),
    "boxed_dice": (),
    "mask_dice": (),
    "pixels": (3, 7),
    "mask_pixels": (3, 7),
    "shown": (7,),
    "mask_shown": (7,),
    "defects": (len(ROWS), 5),
    "bare": (2,),
    "reliability": (3, BINS),
}
"""Counts of an image, by name."""

HEADLINES: Final = (
    "dice",
    "dice_pos",
    "dice_neg",
    "iou",
    "dice_boxed",
    "dice_pixel",
    "miou_pixel",
    "miou_pixel_with_background",
    "detection_rate",
    "classification_rate",
    "defect_precision",
    "ece",
)
"""Figures of the whole, by name."""

CLASS_FIGURES: Final = ("dice", "iou", "precision", "recall")
DEFECT_RATES: Final = ("detection_rate", "classification_rate", "precision")

_MASK_IDS = [CLASS_ID[name] for name in PIXEL_CLASSES]


def image_counts(
    sample: Sample, labelled: Labelled, segmented: Segmented, match: DefectMatch, rules: DefectRules
) -> dict[str, Floats | Counts | float]:
    """Return the counts of one image, as ``SHAPES`` names them."""
    predicted = one_hot(segmented.mask)
    pixels = count(predicted, labelled.target, labelled.known)
    both = _stacked(pixels)
    by_mask = sample.kind is LabelKind.MASK
    return {
        **_box_counts(segmented, predicted, labelled),
        "images_with_masks": float(by_mask),
        "mask_dice": _flat(pixels, _MASK_IDS)[0] if by_mask else 0.0,
        "pixels": both,
        "mask_pixels": both * by_mask,
        "shown": (pixels.tp + pixels.fn > 0).astype(np.int64),
        "mask_shown": (pixels.tp + pixels.fn > 0).astype(np.int64) * by_mask,
        "defects": match.counts(rules),
        "bare": np.array([match.false_alarms, match.bare_px]),
        "reliability": reliability_counts(
            segmented.mask, segmented.score, labelled.target, labelled.known
        ),
    }


def _box_counts(
    segmented: Segmented, predicted: NDArray[np.bool_], labelled: Labelled
) -> dict[str, float]:
    names = ("images_with_boxes", "boxed_dice", "positive", "positive_dice", "positive_iou")
    counts = dict.fromkeys((*names, "negative", "negative_dice"), 0.0)
    if labelled.boxes is None:
        return counts
    said = labelled.boxes_known
    known = np.ones_like(labelled.boxes) if said is None else said
    given = predicted if segmented.boxes is None else segmented.boxes
    dice, iou = _flat(count(given, labelled.boxes, known))
    counts["images_with_boxes"] = 1.0
    counts["boxed_dice"] = _flat(count(boxed(segmented.mask), labelled.boxes, known))[0]
    if labelled.boxes.any():
        counts |= {"positive": 1.0, "positive_dice": dice, "positive_iou": iou}
    else:
        counts |= {"negative": 1.0, "negative_dice": dice}
    return counts


def flat_dice(labelled: Labelled, segmented: Segmented) -> float | None:
    """Return the Dice of one image over all classes and known pixels, None without a label."""
    counts = count(one_hot(segmented.mask), labelled.target, labelled.known)
    return _flat(counts)[0] if int((counts.tp + counts.fn)[1:].sum()) else None


def _flat(counts: ImageCounts, classes: list[int] | None = None) -> tuple[float, float]:
    """Return Dice and IoU of all classes together; 1 where nothing is labelled or predicted."""
    chosen = classes or [c.id for c in NEU_CLASSES]
    sides = [side[chosen].sum() for side in (counts.tp, counts.fp, counts.fn)]
    dice, iou = dice_of(*sides), iou_of(*sides)
    return (1.0, 1.0) if np.isnan(dice) else (float(dice), float(iou))


def _stacked(counts: ImageCounts) -> Counts:
    return np.stack([counts.tp, counts.fp, counts.fn])


def figures_of(sums: Mapping[str, Floats]) -> dict[str, Floats]:
    """Return all figures, 0-1, by dotted name; NaN where no image can give one.

    Args:
        sums: Sums of the counts of images, each ``[..., *shape]`` with the shapes of ``SHAPES``.

    Returns:
        float64 ``[...]`` each: ``HEADLINES``, ``per_class.<class>.<figure>`` and
        ``defects.<class or size>.<rate>``.
    """
    positive, negative = sums["positive"], sums["negative"]
    of_class = _by_class(sums["mask_pixels"])
    means = {
        "dice": ratio(sums["positive_dice"] + sums["negative_dice"], positive + negative),
        "dice_pos": ratio(sums["positive_dice"], positive),
        "dice_neg": ratio(sums["negative_dice"], negative),
        "iou": ratio(sums["positive_iou"], positive),
        "dice_boxed": ratio(sums["boxed_dice"], sums["images_with_boxes"]),
        "dice_pixel": ratio(sums["mask_dice"], sums["images_with_masks"]),
        "miou_pixel": _mean_of_existing(of_class["iou"][..., _MASK_IDS]),
        "miou_pixel_with_background": _mean_of_existing(
            of_class["iou"][..., [BACKGROUND, *_MASK_IDS]]
        ),
        **dict(zip(rate_names(None), _rates(total(sums["defects"])).values(), strict=True)),
        "ece": expected_calibration_error(sums["reliability"]),
    }
    return {**means, **_class_figures(sums), **_defect_figures(sums["defects"])}


def rate_names(row: str | None) -> tuple[str, ...]:
    """Return the names of ``DEFECT_RATES`` of a class or size, or of all defects if None."""
    if row is None:
        return "detection_rate", "classification_rate", "defect_precision"
    return tuple(f"defects.{row}.{rate}" for rate in DEFECT_RATES)


def _class_figures(sums: Mapping[str, Floats]) -> dict[str, Floats]:
    everywhere, masks = _by_class(sums["pixels"]), _by_class(sums["mask_pixels"])
    return {
        f"per_class.{c.name}.{figure}": (masks if c.name in PIXEL_CLASSES else everywhere)[figure][
            ..., c.id
        ]
        for c in NEU_CLASSES
        for figure in CLASS_FIGURES
    }


def _defect_figures(defects: Floats) -> dict[str, Floats]:
    rates = _rates(defects)
    return {
        name: values[..., index]
        for index, row in enumerate(ROWS)
        for name, values in zip(rate_names(row), rates.values(), strict=True)
    }


def _by_class(pixels: Floats) -> dict[str, Floats]:
    """Return the figures of classes, each ``[..., 7]``, of counts ``[..., 3, 7]``."""
    tp, fp, fn = (pixels[..., side, :] for side in range(3))
    return {
        "dice": dice_of(tp, fp, fn),
        "iou": iou_of(tp, fp, fn),
        "precision": ratio(tp, tp + fp),
        "recall": ratio(tp, tp + fn),
    }


def _rates(counts: Floats) -> dict[str, Floats]:
    labelled = counts[..., LABELLED]
    return {
        "detection_rate": ratio(counts[..., DETECTED], labelled),
        "classification_rate": ratio(counts[..., CLASSIFIED], labelled),
        "precision": ratio(counts[..., CONFIRMED], counts[..., PREDICTED]),
    }


def _mean_of_existing(values: Floats) -> Floats:
    """Return the mean over the last axis of what is not NaN."""
    there = ~np.isnan(values)
    return ratio(np.where(there, values, 0).sum(axis=-1), there.sum(axis=-1))

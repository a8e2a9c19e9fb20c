"""Scores predicted masks against labels, boxes and pixel masks apart.

A box is not a mask (on the same NEU images their mean IoU is 0.39), so figures against boxes and
against pixel masks are never mixed.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.classes import CLASS_ID, NEU_CLASSES
from stripscan.dataset.metrics import (
    ClassScore,
    ImageCounts,
    boxed,
    class_score,
    count,
    dice_original,
    dice_per_image,
    miou_pooled,
    one_hot,
    pool,
)
from stripscan.dataset.samples import PIXEL_CLASSES, LabelKind, Labelled, Sample

_PIXEL_IDS: Final = tuple(CLASS_ID[name] for name in PIXEL_CLASSES)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassReport:
    """Pooled figures of one class.

    Attributes:
        score: Dice, IoU, precision and recall.
        n_images: Images that show the class in the label that was used.
        label: The label that was used.
    """

    score: ClassScore
    n_images: int
    label: LabelKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Figures of merit, 0-1; None where no image has such a label.

    Attributes:
        dice: Images with boxes, boxes filled as masks, all classes: per image, then the mean.
            This is the original project's figure.
        dice_boxed: As ``dice``, with each connected component of the prediction replaced by its
            filled bounding box. It says how a model of true masks would compare against boxes.
        dice_pixel: Images with pixel masks: Dice over inclusion, patches and scratches together
            per image, then the mean.
        miou_pixel: Images with pixel masks: mean of the pooled IoU of the three classes.
        miou_pixel_with_background: The same with background as a fourth class.
        per_class: Figures by class name. Inclusion, patches and scratches are scored on the images
            with pixel masks. The others are labelled by boxes: they are scored on all images, so
            that a false alarm counts wherever it is.
        n_images: Images scored.
        n_images_boxes: Those with boxes.
        n_images_pixel: Those with pixel masks.
    """

    dice: float | None
    dice_boxed: float | None
    dice_pixel: float | None
    miou_pixel: float | None
    miou_pixel_with_background: float | None
    per_class: Mapping[str, ClassReport]
    n_images: int
    n_images_boxes: int
    n_images_pixel: int

    def to_json(self) -> dict[str, Any]:
        """Return plain values for JSON; what does not exist is None."""
        plain = {name: getattr(self, name) for name in self.__slots__ if name != "per_class"}
        plain["per_class"] = {
            name: {**asdict(report.score), "n_images": report.n_images, "label": str(report.label)}
            for name, report in self.per_class.items()
        }
        return plain


class Evaluator:
    """Takes one image at a time and keeps only its counts."""

    def __init__(self) -> None:
        self._boxes: list[ImageCounts] = []
        self._boxes_boxed: list[ImageCounts] = []
        self._pixel: list[ImageCounts] = []
        self._all: list[ImageCounts] = []

    def add(self, sample: Sample, labelled: Labelled, predicted_mask: NDArray[np.uint8]) -> None:
        """Score one image.

        Args:
            sample: The sample; its kind of label decides which figures it counts for.
            labelled: Its pixels, from ``load``.
            predicted_mask: uint8 ``[H, W]`` class ids.

        Raises:
            ValueError: The sample has no label, or the mask does not fit it.
        """
        if sample.label is None:
            raise ValueError(f"'{sample.name}' has no label to score against")
        predicted = one_hot(predicted_mask)
        if labelled.boxes is not None:
            known = np.ones_like(labelled.known)
            self._boxes.append(count(predicted, labelled.boxes, known))
            self._boxes_boxed.append(count(boxed(predicted_mask), labelled.boxes, known))
        counts = count(predicted, labelled.target, labelled.known)
        self._all.append(counts)
        if sample.kind is LabelKind.MASK:
            self._pixel.append(counts)

    def result(self) -> Evaluation:
        """Return the figures of all images so far."""
        return Evaluation(
            dice=dice_original(self._boxes),
            dice_boxed=dice_original(self._boxes_boxed),
            dice_pixel=dice_per_image(self._pixel, _PIXEL_IDS),
            miou_pixel=miou_pooled(self._pixel, _PIXEL_IDS),
            miou_pixel_with_background=miou_pooled(self._pixel, _PIXEL_IDS, with_background=True),
            per_class={c.name: self._report(c.id, c.name) for c in NEU_CLASSES},
            n_images=len(self._all),
            n_images_boxes=len(self._boxes),
            n_images_pixel=len(self._pixel),
        )

    def _report(self, class_id: int, name: str) -> ClassReport:
        by_mask = name in PIXEL_CLASSES
        images = self._pixel if by_mask else self._all
        return ClassReport(
            score=class_score(pool(images), class_id),
            n_images=sum(1 for i in images if int(i.tp[class_id] + i.fn[class_id]) > 0),
            label=LabelKind.MASK if by_mask else LabelKind.BOXES,
        )

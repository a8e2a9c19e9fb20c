"""One labelled image: where it lies, and how its label becomes pixels."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.classes import CLASS_ID, NEU_CLASSES
from stripscan.contract.errors import DataError
from stripscan.dataset.images import read_ids, read_mono
from stripscan.dataset.voc import read_labels, read_voc

UNLABELLED: Final = 255
"""Value of mask pixels that nobody labelled, unless ``Sample.mask_ids`` gives it a class."""

ALL_CLASSES: Final = frozenset(CLASS_ID)

PIXEL_CLASSES: Final = ("inclusion", "patches", "scratches")
"""Classes of compact defects, for which a box is not a mask.

The others are spread textures: a box is close to the truth, and public data have nothing finer.
"""

SAME_IDS: Final = tuple((c.id, c.id) for c in NEU_CLASSES)
"""``Sample.mask_ids`` of masks that hold stripscan's own class ids."""


class LabelKind(StrEnum):
    """How finely an image is labelled."""

    BOXES = "boxes"
    MASK = "mask"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One image and its label.

    Attributes:
        name: Unique name, ``<dataset>/<image>``, e.g. ``neu-det/inclusion_7``.
        dataset: Name of the data set.
        image: File of the picture.
        label: VOC file or mask; None where the image has no label.
        kind: Kind of the label.
        classes_known: Classes whose presence and absence the label states; the others are
            ignored in loss and metrics.
        mask_ids: Pairs of a mask's value and the class id that it stands for; 0 is background.
        boxes: VOC file that labels the same pixels beside a mask; None where there is none.
    """

    name: str
    dataset: str
    image: Path
    label: Path | None
    kind: LabelKind
    classes_known: frozenset[str] = ALL_CLASSES
    mask_ids: tuple[tuple[int, int], ...] = SAME_IDS
    boxes: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """An image with its label as pixels.

    Attributes:
        image: uint8 ``[H, W]``, 0-255.
        target: bool ``[6, H, W]``; channel ``c`` is class id ``c + 1``. Classes may overlap.
        known: bool ``[6, H, W]``; False where the label does not say, to be ignored: classes that
            it does not label, the inside of a box of a compact defect (``PIXEL_CLASSES``), and
            boxes of which nothing is said.
        boxes: bool ``[6, H, W]``, filled boxes; None where the image has no box label.
        boxes_known: bool ``[6, H, W]``; False for classes that the boxes do not label, and in boxes
            of which nothing is said; None where they say all, or where there are none.
    """

    image: NDArray[np.uint8]
    target: NDArray[np.bool_]
    known: NDArray[np.bool_]
    boxes: NDArray[np.bool_] | None = None
    boxes_known: NDArray[np.bool_] | None = None


def load(
    sample: Sample, *, scale_16bit: bool = False, image: NDArray[np.uint8] | None = None
) -> Labelled:
    """Read a sample from disk.

    Args:
        sample: The sample.
        scale_16bit: See ``read_mono``.
        image: Its picture, where that was read already.

    Raises:
        DataError: The image or the label cannot be used, or they do not fit each other.
    """
    if image is None:
        image = read_mono(sample.image, scale_16bit=scale_16bit)
    shape = (len(NEU_CLASSES), *image.shape)
    if sample.label is None:
        return Labelled(image=image, target=np.zeros(shape, bool), known=np.zeros(shape, bool))
    known = np.zeros(shape, bool)
    for name in sample.classes_known:
        known[CLASS_ID[name] - 1] = True
    if sample.kind is LabelKind.BOXES:
        boxes, unsaid = _fill_boxes(sample.label, image.shape)
        compact = np.zeros((len(NEU_CLASSES), 1, 1), bool)
        compact[[CLASS_ID[name] - 1 for name in PIXEL_CLASSES]] = True
        inside = boxes & compact
        said = known & ~unsaid
        return Labelled(
            image=image,
            target=boxes & ~inside,
            known=said & ~inside,
            boxes=boxes,
            boxes_known=said,
        )
    target, labelled = _expand_mask(sample, sample.label, image.shape)
    if sample.boxes is None:
        return Labelled(image=image, target=target, known=known & labelled)
    boxes, unsaid = _fill_boxes(sample.boxes, image.shape)
    return Labelled(
        image=image,
        target=target,
        known=known & labelled,
        boxes=boxes,
        boxes_known=known & ~unsaid,
    )


def classes_of(sample: Sample) -> frozenset[str]:
    """Return the classes that the label of a sample shows, without reading its image.

    Raises:
        DataError: The label cannot be used.
    """
    if sample.label is None:
        return frozenset()
    if sample.kind is LabelKind.BOXES:
        return frozenset(box.class_name for box in read_voc(sample.label))
    names = {c.id: c.name for c in NEU_CLASSES}
    ids = dict(sample.mask_ids)
    return frozenset(
        names[ids[value]] for value in np.unique(read_ids(sample.label)).tolist() if value in ids
    )


def _fill_boxes(path: Path, shape: tuple[int, ...]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the filled boxes ``[6, H, W]``, and where boxes lie of which nothing is said."""
    height, width = shape
    filled = np.zeros((len(NEU_CLASSES), height, width), bool)
    unsaid = np.zeros(shape, bool)
    ours, others = read_labels(path)
    for box in ours:
        if box.right > width or box.bottom > height:
            raise DataError(
                f"{path}: the box of '{box.class_name}' reaches {box.right} x {box.bottom} px, "
                f"its image has {width} x {height} px"
            )
        filled[CLASS_ID[box.class_name] - 1, box.top : box.bottom, box.left : box.right] = True
    for box in others:
        unsaid[box.top : box.bottom, box.left : box.right] = True
    return filled, unsaid


def _expand_mask(
    sample: Sample, path: Path, shape: tuple[int, ...]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the target ``[6, H, W]`` and where the mask is labelled ``[H, W]``."""
    mask = read_ids(path)
    if mask.shape != shape:
        raise DataError(
            f"{path}: the mask has {mask.shape[1]} x {mask.shape[0]} px, its image "
            f"{sample.image.name} has {shape[1]} x {shape[0]} px"
        )
    ids = dict(sample.mask_ids)
    strange = sorted(set(np.unique(mask).tolist()) - {0, UNLABELLED} - set(ids))
    if strange:
        raise DataError(
            f"{path}: the mask holds the values {strange}; valid are 0 for background, "
            f"{', '.join(map(str, sorted(ids)))} for classes and {UNLABELLED} for unlabelled"
        )
    target = np.zeros((len(NEU_CLASSES), *mask.shape), bool)
    for value, class_id in ids.items():
        target[class_id - 1] |= mask == value
    labelled = np.ones(mask.shape, bool) if UNLABELLED in ids else mask != UNLABELLED
    return target, labelled

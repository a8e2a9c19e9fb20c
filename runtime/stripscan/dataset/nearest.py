"""What memory alone scores: the mask of the training picture that looks most alike.

Nothing is learned here. A network that does not beat these masks has memorised its training
pictures, or is tested on pictures that it was trained on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stripscan.contract.classes import CLASS_ID, NEU_CLASSES
from stripscan.contract.errors import DataError
from stripscan.dataset.images import read_mono
from stripscan.dataset.samples import LabelKind, Sample, load
from stripscan.dataset.sources import (
    ORIENTATIONS,
    PICTURE_SIDE,
    Floats,
    picture_descriptor,
    turn,
    unit,
)
from stripscan.dataset.voc import read_voc

_CHUNK = 1024  # pictures a side of a product; 4 MiB of float32


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearest:
    """A test picture and the training picture that correlates best with it.

    Attributes:
        test: The test sample.
        train: The training sample.
        orientation: How ``train`` is turned to lie as ``test``, see ``sources.turn``.
        correlation: Of the two descriptors, -1 to 1; above 0.97 they are the same picture.
    """

    test: Sample
    train: Sample
    orientation: int
    correlation: float


def nearest_masks(
    train: Sequence[Sample], test: Sequence[Sample]
) -> Iterator[tuple[Sample, NDArray[np.uint8]]]:
    """Give each test sample the mask of the training picture that looks most alike.

    Filled boxes are the mask of a training picture that is labelled by boxes; where they overlap
    the smallest one counts. Pixels that nobody labelled are background.

    Yields:
        The test samples in their order, each with uint8 ``[H, W]`` class ids: turned as the test
        picture lies, and of its size.

    Raises:
        DataError: No training sample has a label, or a picture or label cannot be used.
    """
    return (_with_mask(found) for found in find_nearest(train, test))


def find_nearest(train: Sequence[Sample], test: Sequence[Sample]) -> list[Nearest]:
    """Compare each test picture with all training pictures in their eight orientations.

    Takes about 4 KiB a picture; time grows with the product of their numbers. The order of
    ``train`` does not matter.

    Args:
        train: Training samples; those without a label are passed over.
        test: Test samples; a label is not needed.

    Returns:
        One for each test sample, in their order.

    Raises:
        DataError: No training sample has a label, or a picture cannot be read.
    """
    labelled = sorted((s for s in train if s.label is not None), key=lambda s: s.name)
    if not labelled:
        raise DataError("no training picture has a label that could be copied")
    known, asked = _describe(labelled), _vectors(_describe(test))
    best = np.full(len(test), -np.inf, np.float32)
    index, orientations = np.zeros(len(test), np.int64), np.zeros(len(test), np.int64)
    for first in range(0, len(labelled), _CHUNK):
        some = known[first : first + _CHUNK]
        for orientation in range(ORIENTATIONS):
            turned = _vectors(turn(some, orientation))
            for start in range(0, len(test), _CHUNK):
                rows = slice(start, start + _CHUNK)
                alike = asked[rows] @ turned.T
                at, top = alike.argmax(axis=1), alike.max(axis=1)
                better = top > best[rows]
                best[rows][better] = top[better]
                index[rows][better] = first + at[better]
                orientations[rows][better] = orientation
    return [
        Nearest(test=sample, train=labelled[i], orientation=o, correlation=c)
        for sample, i, o, c in zip(
            test, index.tolist(), orientations.tolist(), best.tolist(), strict=True
        )
    ]


def class_mask(sample: Sample) -> NDArray[np.uint8]:
    """Return the label of a sample as class ids, uint8 ``[H, W]``, as ``nearest_masks`` copies it.

    Raises:
        DataError: The picture or the label cannot be used.
    """
    labelled = load(sample)
    mask = np.zeros(labelled.image.shape, np.uint8)
    if sample.kind is LabelKind.MASK:
        for defect, layer in zip(NEU_CLASSES, labelled.target, strict=True):
            mask[layer] = defect.id
    elif sample.label is not None:
        boxes = read_voc(sample.label)
        for box in sorted(boxes, key=lambda b: (b.left - b.right) * (b.bottom - b.top)):
            mask[box.top : box.bottom, box.left : box.right] = CLASS_ID[box.class_name]
    return mask


def _describe(samples: Sequence[Sample]) -> Floats:
    """Return the descriptors ``[n, 32, 32]``."""
    pictures = np.empty((len(samples), PICTURE_SIDE, PICTURE_SIDE), np.float32)
    for i, sample in enumerate(samples):
        pictures[i] = picture_descriptor(read_mono(sample.image))
    return pictures


def _vectors(pictures: Floats) -> Floats:
    return unit(pictures.reshape(len(pictures), PICTURE_SIDE**2))


def _with_mask(found: Nearest) -> tuple[Sample, NDArray[np.uint8]]:
    mask = np.ascontiguousarray(turn(class_mask(found.train), found.orientation))
    height, width = read_mono(found.test.image).shape
    if mask.shape != (height, width):
        resized = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
        mask = np.asarray(resized, np.uint8)
    return found.test, mask

"""Finds the samples of the NEU family, and of a plain folder of images and masks.

NEU-Seg and SD-saliency-900 label inclusion, patches and scratches; their images are NEU images
of these three classes, so crazing, pitted surface and rolled-in scale count as known and absent.
"""

import itertools
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from stripscan.contract.classes import CLASS_ID
from stripscan.contract.errors import DataError
from stripscan.dataset.images import IMAGE_SUFFIXES
from stripscan.dataset.samples import SAME_IDS, LabelKind, Sample

NEU_DET: Final = "neu-det"
NEU_SEG: Final = "neu-seg"
SD_SALIENCY: Final = "sd-saliency-900"

NEU_SEG_IDS: Final = (
    (1, CLASS_ID["inclusion"]),
    (2, CLASS_ID["patches"]),
    (3, CLASS_ID["scratches"]),
)
"""Mask values of NEU-Seg and the class ids they stand for."""

SD_CLASSES: Final = {"In": "inclusion", "Pa": "patches", "Sc": "scratches"}
"""Class of an SD-saliency-900 image by the first letters of its name."""

LAYOUTS: Final = (
    "NEU-DET (IMAGES + ANNOTATIONS), NEU-Seg (images/training, images/test + annotations/...), "
    "SD-saliency-900 (Source Images + Ground truth), or images/ + masks/ with class ids as PNG"
)

logger = logging.getLogger(__name__)


def find_samples(folder: Path) -> list[Sample]:
    """Return the samples of every data set in a folder, or of the one that it is, sorted by name.

    Raises:
        DataError: There is no folder, no known layout or no image; an image has no annotation;
            or two images have the same name.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder of images")
    places = [folder, *sorted(p for p in folder.iterdir() if p.is_dir())]
    samples = sorted((s for p in places for s in _samples_of(p)), key=lambda s: s.name)
    if not samples:
        raise DataError(f"{folder}: no labelled images found. Known layouts: {LAYOUTS}")
    for first, second in itertools.pairwise(samples):
        if first.name == second.name:
            raise DataError(
                f"two images are named '{first.name}': {first.image} and {second.image}; "
                f"rename one of them"
            )
    logger.info("found %d samples in %s", len(samples), folder)
    return samples


def _samples_of(place: Path) -> Iterator[Sample]:
    layouts: tuple[tuple[str, str, Callable[[Path], Iterator[Sample]]], ...] = (
        ("IMAGES", "ANNOTATIONS", _neu_det),
        ("images/training", "annotations/training", _neu_seg),
        ("Source Images", "Ground truth", _sd_saliency),
        ("images", "masks", _images_and_masks),
    )
    for images, labels, read in layouts:
        if (place / images).is_dir() and (place / labels).is_dir():
            yield from read(place)


def _neu_det(place: Path) -> Iterator[Sample]:
    folders = (("IMAGES", "ANNOTATIONS"), ("Validation_Images", "Validation_Annotations"))
    for images, labels in folders:
        for image, label in _pairs(place / images, place / labels, ".xml"):
            yield Sample(
                name=f"{NEU_DET}/{image.stem}",
                dataset=NEU_DET,
                image=image,
                label=label,
                kind=LabelKind.BOXES,
            )


def _neu_seg(place: Path) -> Iterator[Sample]:
    for part in ("training", "test"):
        for image, label in _pairs(place / "images" / part, place / "annotations" / part, ".png"):
            yield Sample(
                name=f"{NEU_SEG}/{part}/{image.stem}",
                dataset=NEU_SEG,
                image=image,
                label=label,
                kind=LabelKind.MASK,
                mask_ids=NEU_SEG_IDS,
            )


def _sd_saliency(place: Path) -> Iterator[Sample]:
    for image, label in _pairs(place / "Source Images", place / "Ground truth", ".png"):
        prefix = image.stem.split("_")[0]
        if prefix not in SD_CLASSES:
            raise DataError(
                f"{image}: the class is read from the name, which must begin with "
                f"{', '.join(f'{p}_' for p in SD_CLASSES)}"
            )
        yield Sample(
            name=f"{SD_SALIENCY}/{image.stem}",
            dataset=SD_SALIENCY,
            image=image,
            label=label,
            kind=LabelKind.MASK,
            mask_ids=((255, CLASS_ID[SD_CLASSES[prefix]]),),
        )


def _images_and_masks(place: Path) -> Iterator[Sample]:
    dataset = place.resolve().name
    for image, label in _pairs(place / "images", place / "masks", ".png"):
        yield Sample(
            name=f"{dataset}/{image.stem}",
            dataset=dataset,
            image=image,
            label=label,
            kind=LabelKind.MASK,
            mask_ids=SAME_IDS,
        )


def _pairs(images: Path, labels: Path, suffix: str) -> Iterator[tuple[Path, Path]]:
    """Yield each image of a folder, which may be missing, with its label."""
    if not images.is_dir():
        return
    for image in sorted(images.iterdir()):
        if image.suffix.lower() not in IMAGE_SUFFIXES:
            continue
        label = labels / f"{image.stem}{suffix}"
        if not label.is_file():
            raise DataError(f"{image}: the image has no annotation; expected {label}")
        yield image, label
